"""Which service of OpenStack a path belongs to."""

from __future__ import annotations

from enum import StrEnum

PREFIX = "/openstack"
IDENTITY = f"{PREFIX}/identity"


class Service(StrEnum):
    """By the part of the path that names it."""

    IDENTITY = "identity"
    COMPUTE = "compute"
    IMAGE = "image"
    NETWORK = "network"
    VOLUME = "volume"


REGIONAL = (Service.COMPUTE, Service.IMAGE, Service.NETWORK, Service.VOLUME)


def in_region(service: Service) -> str:
    """What the paths of a regional service begin with."""
    return f"{PREFIX}/regions/{{region}}/{service}"


def service_of(path: str) -> Service | None:
    """None for a path that is not this API's. A path below the prefix that names no service is taken for
    one of identity, where clients begin."""
    parts = path.split("/")
    if parts[:2] != ["", PREFIX[1:]]:
        return None
    if parts[2:3] == ["regions"] and len(parts) > 4 and parts[4] in REGIONAL:
        return Service(parts[4])
    return Service.IDENTITY

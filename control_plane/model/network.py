"""A member's networks: one per zone, and what may pass between them and the world outside.

Two networks are never routed to each other. What one member offers another goes through a binding,
which names one service of one zone, is asked for by the one and approved by a second person, and
passes nothing else. Where a member's own offices sit is declared in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from control_plane.model.ids import (
    BindingId,
    Generation,
    NetworkId,
    RegionId,
    SecurityGroupId,
    ServerId,
    SiteId,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode

FIRST_SEGMENT = 10_000
LAST_SEGMENT = 2**24 - 1
"""VXLAN's network identifier has 24 bits (RFC 7348 §4); low ones are left to the site's own people."""


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    ANY = "any"


class Direction(StrEnum):
    INGRESS = "ingress"
    """Towards the server."""
    EGRESS = "egress"


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Both ends belong to it; 1 to 65535."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= 65_535:
            raise ValueError(f"{self.first}-{self.last} is no range of ports")


@dataclass(frozen=True, slots=True)
class Subnet:
    """The part of a site's guest network from which the network's servers there have their addresses.
    `gateway` is answered by every host that has the segment, so that none of them is missed."""

    site: SiteId
    addresses: IPv4Network
    gateway: IPv4Address


@dataclass(frozen=True, slots=True)
class Network:
    """One member's network in one zone of one region: one segment (`segment` is its VXLAN network
    identifier, unique in the consortium), with one or more subnets at each site where it has servers.
    `offices` are the member's own networks that may reach its servers, and be reached by them,
    through the site's router, as far as the security groups allow. One that is `reserved` keeps its
    last subnet at a site also while it has no server there."""

    id: NetworkId
    tenant: MunicipalityCode
    region: RegionId
    zone: Zone
    name: str
    segment: int
    subnets: tuple[Subnet, ...] = ()
    offices: tuple[IPv4Network, ...] = ()
    generation: Generation = Generation(1)
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """What may begin a conversation; the answers to it pass by themselves. `ports` None means all of
    them. The other side is `remote`, or the servers of `remote_group`, or with `offices` the declared
    offices of the network; else anyone, which still is only who can reach the server at all: its own
    network, its offices, its bindings."""

    direction: Direction
    protocol: Protocol
    ports: PortRange | None = None
    remote: IPv4Network | None = None
    remote_group: SecurityGroupId | None = None
    offices: bool = False
    description: str = ""


DEFAULT_GROUP = "default"


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """Named rules of one member. What no rule of any of a server's groups allows does not pass, but for
    what a binding offers. Every member has one group `default`, which servers are in that are in no
    other: out to anywhere, in from the servers of the same group and from the offices."""

    id: SecurityGroupId
    tenant: MunicipalityCode
    name: str
    rules: tuple[SecurityRule, ...] = ()
    generation: Generation = Generation(1)
    description: str = ""


def default_rules(of: SecurityGroupId) -> tuple[SecurityRule, ...]:
    """What the group `default` of a new member, whose id is `of`, says."""
    return (
        SecurityRule(Direction.EGRESS, Protocol.ANY),
        SecurityRule(Direction.INGRESS, Protocol.ANY, remote_group=of),
        SecurityRule(Direction.INGRESS, Protocol.ANY, offices=True),
    )


class BindingState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Binding:
    """`provider`'s servers offer `port` to the network of `consumer` in the same zone, across sites and
    prefectures. Nothing else passes, and nothing the other way but answers. `servers` are the
    provider's, all of one zone. Packets pass while it is `APPROVED` alone."""

    id: BindingId
    name: str
    provider: MunicipalityCode
    consumer: MunicipalityCode
    zone: Zone
    servers: tuple[ServerId, ...]
    protocol: Protocol
    port: int
    reason: str
    state: BindingState
    requested_by: str
    requested_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    generation: Generation = Generation(1)

"""Which microversions of Compute are spoken (Nova's REST API version history)."""

from __future__ import annotations

from typing import Annotated

from tenants.openstack_api.microversions import Range, Version, asked_of
from tenants.openstack_api.services import Service

COMPUTE_VERSIONS = Range(
    Service.COMPUTE,
    "compute",
    Version(2, 1),
    # 2.97 brought shared file systems, which there are none of.
    Version(2, 96),
    older="X-OpenStack-Nova-API-Version",
)

Asked = Annotated[Version, asked_of(COMPUTE_VERSIONS)]
"""The microversion that a request is made with."""


def since(version: Version, minor: int) -> bool:
    """Whether what came with 2.`minor` is asked for."""
    return version.minor >= minor

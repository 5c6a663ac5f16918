"""Every router of this API, in the order in which paths are looked up."""

from __future__ import annotations

from fastapi import APIRouter

from tenants.openstack_api.compute.more_routers import MORE_ROUTERS
from tenants.openstack_api.compute.routers import ROUTERS as COMPUTE_ROUTERS
from tenants.openstack_api.identity.routers import ROUTERS as IDENTITY_ROUTERS
from tenants.openstack_api.image.routers import ROUTERS as IMAGE_ROUTERS
from tenants.openstack_api.network.routers import ROUTERS as NETWORK_ROUTERS
from tenants.openstack_api.volume.routers import ROUTERS as VOLUME_ROUTERS

ROUTERS: tuple[APIRouter, ...] = (
    *IDENTITY_ROUTERS,
    *COMPUTE_ROUTERS,
    *MORE_ROUTERS,
    *IMAGE_ROUTERS,
    *NETWORK_ROUTERS,
    *VOLUME_ROUTERS,
)

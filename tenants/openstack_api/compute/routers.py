"""Compute's routers."""

from tenants.openstack_api.compute.create_routes import router as create_router
from tenants.openstack_api.compute.extension_routes import router as extension_router
from tenants.openstack_api.compute.flavor_routes import router as flavor_router
from tenants.openstack_api.compute.limit_routes import router as limit_router
from tenants.openstack_api.compute.metadata_routes import router as metadata_router
from tenants.openstack_api.compute.server_routes import router as server_router
from tenants.openstack_api.compute.version_routes import router as version_router
from tenants.openstack_api.compute.zone_routes import router as zone_router

ROUTERS = (
    version_router,
    server_router,
    create_router,
    metadata_router,
    flavor_router,
    limit_router,
    zone_router,
    extension_router,
)

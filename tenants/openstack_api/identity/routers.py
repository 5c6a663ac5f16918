"""Identity's routers."""

from tenants.openstack_api.identity.auth_routes import router as auth_router

ROUTERS = (auth_router,)

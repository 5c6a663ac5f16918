"""Identity's routers."""

from tenants.openstack_api.identity.auth_routes import router as auth_router
from tenants.openstack_api.identity.credential_routes import router as credential_router
from tenants.openstack_api.identity.heads import heads_of
from tenants.openstack_api.identity.project_routes import choosing
from tenants.openstack_api.identity.project_routes import router as project_router

_ROUTERS = (auth_router, credential_router, choosing, project_router)

ROUTERS = (*_ROUTERS, heads_of(*_ROUTERS))

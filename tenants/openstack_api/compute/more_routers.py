"""What Compute has beside servers themselves and what they are made from."""

from tenants.openstack_api.compute.action_routes import router as action_router
from tenants.openstack_api.compute.attachment_routes import router as attachment_router
from tenants.openstack_api.compute.instance_action_routes import router as instance_action_router
from tenants.openstack_api.compute.interface_routes import router as interface_router
from tenants.openstack_api.compute.keypair_routes import router as keypair_router
from tenants.openstack_api.compute.server_group_routes import router as server_group_router

MORE_ROUTERS = (
    action_router,
    keypair_router,
    server_group_router,
    attachment_router,
    interface_router,
    instance_action_router,
)

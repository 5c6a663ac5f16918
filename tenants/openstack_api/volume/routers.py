from __future__ import annotations

from tenants.openstack_api.volume.action_routes import routes as actions
from tenants.openstack_api.volume.allowance_routes import routes as allowances
from tenants.openstack_api.volume.change_routes import routes as changes
from tenants.openstack_api.volume.metadata_routes import routes as metadata
from tenants.openstack_api.volume.read_routes import routes as reads
from tenants.openstack_api.volume.type_routes import routes as types
from tenants.openstack_api.volume.version_routes import router as versions

_BOTH = (reads, changes, metadata, actions, types, allowances)

ROUTERS = (versions, *(each.plain for each in _BOTH), *(each.named for each in _BOTH))

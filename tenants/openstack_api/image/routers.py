from __future__ import annotations

from tenants.openstack_api.image.change_routes import router as changes
from tenants.openstack_api.image.data_routes import router as data
from tenants.openstack_api.image.read_routes import router as reads
from tenants.openstack_api.image.version_routes import router as versions

ROUTERS = (versions, reads, changes, data)

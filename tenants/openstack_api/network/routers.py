from __future__ import annotations

from fastapi import APIRouter

from tenants.openstack_api.network.group_routes import router as groups
from tenants.openstack_api.network.network_routes import router as networks
from tenants.openstack_api.network.port_routes import router as ports
from tenants.openstack_api.network.quota_routes import router as quotas
from tenants.openstack_api.network.rule_routes import router as rules
from tenants.openstack_api.network.subnet_routes import router as subnets
from tenants.openstack_api.network.version_routes import router as versions

ROUTERS: tuple[APIRouter, ...] = (versions, networks, subnets, ports, groups, rules, quotas)

from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission
from tests.openstack_api.needs.route import Route

_ROOT = "/openstack/regions/{region}/network"
_AT = f"{_ROOT}/v2.0"
_READ, _WRITE = Permission.NETWORKS_READ, Permission.NETWORKS_WRITE

OPEN: set[Route] = {("GET", _ROOT)}
FOR_ANYBODY: set[Route] = set()
NEEDS: dict[Route, Permission] = {
    ("GET", _AT): _READ,
    ("GET", f"{_AT}/extensions"): _READ,
    ("GET", f"{_AT}/extensions/{{alias}}"): _READ,
    ("GET", f"{_AT}/networks"): _READ,
    ("POST", f"{_AT}/networks"): _WRITE,
    ("GET", f"{_AT}/networks/{{network}}"): _READ,
    ("PUT", f"{_AT}/networks/{{network}}"): _WRITE,
    ("DELETE", f"{_AT}/networks/{{network}}"): _WRITE,
    ("GET", f"{_AT}/subnets"): _READ,
    ("POST", f"{_AT}/subnets"): _WRITE,
    ("GET", f"{_AT}/subnets/{{subnet}}"): _READ,
    ("PUT", f"{_AT}/subnets/{{subnet}}"): _WRITE,
    ("DELETE", f"{_AT}/subnets/{{subnet}}"): _WRITE,
    ("GET", f"{_AT}/ports"): _READ,
    ("POST", f"{_AT}/ports"): _WRITE,
    ("GET", f"{_AT}/ports/{{port}}"): _READ,
    ("PUT", f"{_AT}/ports/{{port}}"): _WRITE,
    ("DELETE", f"{_AT}/ports/{{port}}"): _WRITE,
    ("GET", f"{_AT}/security-groups"): _READ,
    ("POST", f"{_AT}/security-groups"): _WRITE,
    ("GET", f"{_AT}/security-groups/{{group}}"): _READ,
    ("PUT", f"{_AT}/security-groups/{{group}}"): _WRITE,
    ("DELETE", f"{_AT}/security-groups/{{group}}"): _WRITE,
    ("GET", f"{_AT}/security-group-rules"): _READ,
    ("POST", f"{_AT}/security-group-rules"): _WRITE,
    ("GET", f"{_AT}/security-group-rules/{{rule}}"): _READ,
    ("DELETE", f"{_AT}/security-group-rules/{{rule}}"): _WRITE,
    ("GET", f"{_AT}/address-groups"): _READ,
    ("GET", f"{_AT}/address-groups/{{group}}"): _READ,
    ("GET", f"{_AT}/quotas/{{project_id}}"): _READ,
    ("GET", f"{_AT}/quotas/{{project_id}}/default"): _READ,
    ("GET", f"{_AT}/quotas/{{project_id}}/details"): _READ,
    ("GET", f"{_AT}/quotas/{{project_id}}/details.json"): _READ,
    ("PUT", f"{_AT}/quotas/{{project_id}}"): Permission.QUOTAS_WRITE,
    ("DELETE", f"{_AT}/quotas/{{project_id}}"): Permission.QUOTAS_WRITE,
}
BODIES: dict[Route, Any] = {
    ("POST", f"{_AT}/networks"): {"network": {"name": "lgwan"}},
    ("PUT", f"{_AT}/networks/{{network}}"): {"network": {"name": "counter"}},
    ("POST", f"{_AT}/subnets"): {"subnet": {"network_id": "none", "cidr": "10.0.0.0/24"}},
    ("PUT", f"{_AT}/subnets/{{subnet}}"): {"subnet": {"name": "office"}},
    ("POST", f"{_AT}/ports"): {"port": {"network_id": "none"}},
    ("PUT", f"{_AT}/ports/{{port}}"): {"port": {"security_groups": ["none"]}},
    ("POST", f"{_AT}/security-groups"): {"security_group": {"name": "web"}},
    ("PUT", f"{_AT}/security-groups/{{group}}"): {"security_group": {"description": "new"}},
    ("POST", f"{_AT}/security-group-rules"): {
        "security_group_rule": {"security_group_id": "none", "direction": "ingress"}
    },
}

from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission as P
from tests.openstack_api.needs.route import Route

_ROOT = "/openstack/regions/{region}/compute"
_V2 = f"{_ROOT}/v2.1"
_ONE = f"{_V2}/servers/{{server}}"

OPEN: set[Route] = {("GET", _ROOT), ("GET", _V2)}
FOR_ANYBODY: set[Route] = {
    ("GET", f"{_V2}/extensions"),
    ("GET", f"{_V2}/extensions/{{alias}}"),
}
NEEDS: dict[Route, P] = {
    ("GET", f"{_V2}/servers"): P.SERVERS_READ,
    ("GET", f"{_V2}/servers/detail"): P.SERVERS_READ,
    ("POST", f"{_V2}/servers"): P.SERVERS_WRITE,
    ("GET", _ONE): P.SERVERS_READ,
    ("PUT", _ONE): P.SERVERS_WRITE,
    ("DELETE", _ONE): P.SERVERS_WRITE,
    ("GET", f"{_ONE}/ips"): P.SERVERS_READ,
    ("GET", f"{_ONE}/ips/{{network}}"): P.SERVERS_READ,
    ("GET", f"{_ONE}/metadata"): P.SERVERS_READ,
    ("POST", f"{_ONE}/metadata"): P.SERVERS_WRITE,
    ("PUT", f"{_ONE}/metadata"): P.SERVERS_WRITE,
    ("GET", f"{_ONE}/metadata/{{key}}"): P.SERVERS_READ,
    ("PUT", f"{_ONE}/metadata/{{key}}"): P.SERVERS_WRITE,
    ("DELETE", f"{_ONE}/metadata/{{key}}"): P.SERVERS_WRITE,
    ("GET", f"{_ONE}/tags"): P.SERVERS_READ,
    ("PUT", f"{_ONE}/tags"): P.SERVERS_WRITE,
    ("DELETE", f"{_ONE}/tags"): P.SERVERS_WRITE,
    ("GET", f"{_ONE}/tags/{{tag}}"): P.SERVERS_READ,
    ("PUT", f"{_ONE}/tags/{{tag}}"): P.SERVERS_WRITE,
    ("DELETE", f"{_ONE}/tags/{{tag}}"): P.SERVERS_WRITE,
    ("GET", f"{_V2}/flavors"): P.CATALOGUE_READ,
    ("GET", f"{_V2}/flavors/detail"): P.CATALOGUE_READ,
    ("GET", f"{_V2}/flavors/{{flavor}}"): P.CATALOGUE_READ,
    ("GET", f"{_V2}/flavors/{{flavor}}/os-extra_specs"): P.CATALOGUE_READ,
    ("GET", f"{_V2}/limits"): P.QUOTAS_READ,
    ("GET", f"{_V2}/os-quota-sets/{{project_id}}"): P.QUOTAS_READ,
    ("GET", f"{_V2}/os-quota-sets/{{project_id}}/detail"): P.QUOTAS_READ,
    ("GET", f"{_V2}/os-quota-sets/{{project_id}}/defaults"): P.QUOTAS_READ,
    ("PUT", f"{_V2}/os-quota-sets/{{project_id}}"): P.QUOTAS_WRITE,
    ("DELETE", f"{_V2}/os-quota-sets/{{project_id}}"): P.QUOTAS_WRITE,
    ("GET", f"{_V2}/os-availability-zone"): P.CATALOGUE_READ,
    ("GET", f"{_V2}/os-availability-zone/detail"): P.POOL_READ,
}
BODIES: dict[Route, Any] = {
    ("POST", f"{_V2}/servers"): {
        "server": {"name": "one", "flavorRef": "zzzz", "imageRef": "zzzz", "networks": "auto"}
    },
    ("PUT", _ONE): {"server": {"name": "other"}},
    ("POST", f"{_ONE}/metadata"): {"metadata": {"a": "b"}},
    ("PUT", f"{_ONE}/metadata"): {"metadata": {"a": "b"}},
    ("PUT", f"{_ONE}/metadata/{{key}}"): {"meta": {"zzzz-0000": "b"}},
    ("PUT", f"{_ONE}/tags"): {"tags": ["a"]},
}

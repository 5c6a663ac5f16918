from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission
from tests.openstack_api.needs.route import Route

_AT = "/openstack/regions/{region}/volume"
_P = Permission
_BOTH: dict[Route, Permission] = {
    ("GET", "/volumes"): _P.VOLUMES_READ,
    ("GET", "/volumes/detail"): _P.VOLUMES_READ,
    ("GET", "/volumes/{volume}"): _P.VOLUMES_READ,
    ("GET", "/volumes/{volume}/metadata"): _P.VOLUMES_READ,
    ("GET", "/volumes/{volume}/metadata/{key}"): _P.VOLUMES_READ,
    ("GET", "/types"): _P.VOLUMES_READ,
    ("GET", "/types/{type}"): _P.VOLUMES_READ,
    ("GET", "/extensions"): _P.VOLUMES_READ,
    ("GET", "/os-availability-zone"): _P.CATALOGUE_READ,
    ("GET", "/limits"): _P.QUOTAS_READ,
    ("GET", "/os-quota-sets/{project_id}"): _P.QUOTAS_READ,
    ("GET", "/os-quota-sets/{project_id}/defaults"): _P.QUOTAS_READ,
    ("PUT", "/os-quota-sets/{project_id}"): _P.QUOTAS_WRITE,
    ("POST", "/volumes"): _P.VOLUMES_WRITE,
    ("PUT", "/volumes/{volume}"): _P.VOLUMES_WRITE,
    ("DELETE", "/volumes/{volume}"): _P.VOLUMES_WRITE,
    ("POST", "/volumes/{volume}/action"): _P.VOLUMES_WRITE,
    ("POST", "/volumes/{volume}/metadata"): _P.VOLUMES_WRITE,
    ("PUT", "/volumes/{volume}/metadata"): _P.VOLUMES_WRITE,
    ("PUT", "/volumes/{volume}/metadata/{key}"): _P.VOLUMES_WRITE,
    ("DELETE", "/volumes/{volume}/metadata/{key}"): _P.VOLUMES_WRITE,
}
_SAID: dict[Route, Any] = {
    ("POST", "/volumes"): {"volume": {"name": "data", "size": 1}},
    ("PUT", "/volumes/{volume}"): {"volume": {"description": "data"}},
    ("POST", "/volumes/{volume}/action"): {"os-extend": {"new_size": 2}},
    ("POST", "/volumes/{volume}/metadata"): {"metadata": {"a": "b"}},
    ("PUT", "/volumes/{volume}/metadata"): {"metadata": {"a": "b"}},
    ("PUT", "/volumes/{volume}/metadata/{key}"): {"meta": {"zzzz-0000": "b"}},
}


def _everywhere(told: dict[Route, Any]) -> dict[Route, Any]:
    """With the project's id in the path, and without."""
    bases = (f"{_AT}/v3", f"{_AT}/v3/{{project}}")
    return {(method, base + path): what for (method, path), what in told.items() for base in bases}


OPEN: set[Route] = {("GET", _AT)}
FOR_ANYBODY: set[Route] = {("GET", f"{_AT}/v3")}
NEEDS: dict[Route, Permission] = _everywhere(_BOTH)
BODIES: dict[Route, Any] = _everywhere(_SAID)

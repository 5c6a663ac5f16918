from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission
from tests.openstack_api.needs.route import Route

_AT = "/openstack/regions/{region}/image"
_READ, _WRITE = Permission.IMAGES_READ, Permission.IMAGES_WRITE

OPEN: set[Route] = {("GET", _AT), ("GET", f"{_AT}/versions")}
FOR_ANYBODY: set[Route] = set()
NEEDS: dict[Route, Permission] = {
    ("GET", f"{_AT}/v2/schemas/image"): _READ,
    ("GET", f"{_AT}/v2/schemas/images"): _READ,
    ("GET", f"{_AT}/v2/images"): _READ,
    ("GET", f"{_AT}/v2/images/{{image}}"): _READ,
    ("GET", f"{_AT}/v2/images/{{image}}/file"): _READ,
    ("POST", f"{_AT}/v2/images"): _WRITE,
    ("PATCH", f"{_AT}/v2/images/{{image}}"): _WRITE,
    ("PUT", f"{_AT}/v2/images/{{image}}/file"): _WRITE,
    ("DELETE", f"{_AT}/v2/images/{{image}}"): _WRITE,
}
BODIES: dict[Route, Any] = {
    ("POST", f"{_AT}/v2/images"): {"name": "office", "disk_format": "qcow2"}
}

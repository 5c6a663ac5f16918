from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission
from tests.openstack_api.needs.route import Route

OPEN: set[Route] = {
    ("GET", "/openstack/identity"),
    ("GET", "/openstack/identity/v3"),
    ("POST", "/openstack/identity/v3/auth/tokens"),
}
FOR_ANYBODY: set[Route] = {
    ("GET", "/openstack/identity/v3/auth/tokens"),
    ("DELETE", "/openstack/identity/v3/auth/tokens"),
}
NEEDS: dict[Route, Permission] = {}
BODIES: dict[Route, Any] = {}

"""Which permission each route of the OpenStack API asks for, one module a service.

In each: `OPEN` is for strangers, `FOR_ANYBODY` for every token, `NEEDS` the rest, `BODIES` what is sent.
"""

from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission
from tests.openstack_api.needs import compute, compute_more, identity, image, network, volume
from tests.openstack_api.needs.route import Route

_SERVICES = (identity, compute, compute_more, image, network, volume)

OPEN: set[Route] = {route for each in _SERVICES for route in each.OPEN}
FOR_ANYBODY: set[Route] = {route for each in _SERVICES for route in each.FOR_ANYBODY}
NEEDS: dict[Route, Permission] = {k: v for each in _SERVICES for k, v in each.NEEDS.items()}
BODIES: dict[Route, Any] = {k: v for each in _SERVICES for k, v in each.BODIES.items()}

from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission as P
from tests.openstack_api.needs.route import Route

_V3 = "/openstack/identity/v3"
_CREDENTIALS = f"{_V3}/users/{{user}}/application_credentials"

OPEN: set[Route] = {
    ("GET", "/openstack/identity"),
    ("GET", _V3),
    ("POST", f"{_V3}/auth/tokens"),
}
FOR_ANYBODY: set[Route] = {
    ("GET", f"{_V3}/auth/tokens"),
    ("DELETE", f"{_V3}/auth/tokens"),
}
NEEDS: dict[Route, P] = {
    ("GET", f"{_V3}/auth/catalog"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/auth/projects"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/auth/domains"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/users/{{user}}/projects"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/users/{{user}}"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/projects"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/projects/{{id}}"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/domains"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/domains/{{id}}"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/roles"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/roles/{{id}}"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/regions"): P.CATALOGUE_READ,
    ("GET", f"{_V3}/regions/{{id}}"): P.CATALOGUE_READ,
    ("GET", _CREDENTIALS): P.TOKENS_READ,
    ("POST", _CREDENTIALS): P.TOKENS_WRITE,
    ("GET", f"{_CREDENTIALS}/{{credential}}"): P.TOKENS_READ,
    ("DELETE", f"{_CREDENTIALS}/{{credential}}"): P.TOKENS_WRITE,
}
BODIES: dict[Route, Any] = {("POST", _CREDENTIALS): {"application_credential": {"name": "tools"}}}

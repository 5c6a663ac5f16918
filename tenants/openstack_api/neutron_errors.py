"""Errors as Neutron writes them, under the names that it has for them where it knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES: Mapping[str, str] = {
    "permission-missing": "PolicyNotAuthorized",
    "project-missing": "PolicyNotAuthorized",
    "token-unscoped": "PolicyNotAuthorized",
    "project-foreign": "PolicyNotAuthorized",
    "quota-exceeded": "OverQuota",
    "security-groups-too-many": "OverQuota",
    "security-group-rules-too-many": "OverQuota",
    "DELETE security-group-default": "SecurityGroupCannotRemoveDefault",
    "PUT security-group-default": "SecurityGroupCannotUpdateDefault",
    "addresses-exhausted": "IpAddressGenerationFailure",
    "request-invalid": "HTTPBadRequest",
    "request-unreadable": "HTTPBadRequest",
    "filter-unknown": "HTTPBadRequest",
    "sort-key-unknown": "HTTPBadRequest",
    "no-such-path": "HTTPNotFound",
    "method-not-allowed": "HTTPMethodNotAllowed",
    "internal-error": "HTTPInternalServerError",
}
"""By the problem's type, or by what was asked and the type; others go by the problem's own name."""


def neutron_error(method: str, type: str, message: str) -> dict[str, Any]:
    """The body of the answer to a request that was made with `method`."""
    name = _NAMES.get(type) or _NAMES.get(f"{method} {type}")
    if name is None:
        name = "".join(word.capitalize() for word in type.split("-"))
    return {"NeutronError": {"type": name, "message": message, "detail": ""}}

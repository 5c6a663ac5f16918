"""Links as OpenStack's answers carry them, from where the client sees this API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from tenants.openstack_api.services import IDENTITY, PREFIX, Service

_VERSIONED = {
    Service.COMPUTE: "v2.1",
    Service.IMAGE: "v2",
    Service.NETWORK: "v2.0",
    Service.VOLUME: "v3",
}


def root_of(request: Request) -> str:
    """Scheme and authority as the consortium says them, else as the request does; no slash at its end."""
    said: str | None = request.app.state.public_url
    return str(request.base_url).rstrip("/") if said is None else said.rstrip("/")


def identity_url(request: Request) -> str:
    return f"{root_of(request)}{IDENTITY}/v3"


def service_url(request: Request, service: Service, region: str, *, versioned: bool = True) -> str:
    """Where a regional service is to be found, as the catalogue says it but for a project's id."""
    plain = f"{root_of(request)}{PREFIX}/regions/{region}/{service}"
    return f"{plain}/{_VERSIONED[service]}" if versioned else plain


async def _anywhere(request: Request) -> str:
    return str(request.path_params["region"])


AnyRegion = Annotated[str, Depends(_anywhere)]
"""The region of a path that strangers may ask: of a name that there isn't they learn nothing."""


def self_link(href: str) -> dict[str, Any]:
    return {"rel": "self", "href": href}

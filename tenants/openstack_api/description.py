"""What this API describes of itself: every route, for the page of what is supported and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from tenants.openstack_api.services import PREFIX


def openstack_routes(app: FastAPI) -> Iterator[APIRoute]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path.startswith(f"{PREFIX}/"):
            yield route


def description(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of these routes alone: paths, parameters and bodies."""
    return get_openapi(
        title="Yui's OpenStack-compatible API",
        version=app.version,
        openapi_version="3.1.0",
        routes=list(openstack_routes(app)),
    )

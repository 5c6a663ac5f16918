"""Identity answers HEAD wherever it answers GET, as Keystone does: so is a token checked, whose body is
nobody's need. No other service of OpenStack's does."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute


def heads_of(*routers: APIRouter) -> APIRouter:
    """The same routes for HEAD, which the description leaves out; the server leaves out the bodies."""
    heads = APIRouter(include_in_schema=False)
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
                heads.add_api_route(
                    route.path,
                    route.endpoint,
                    methods=["HEAD"],
                    status_code=route.status_code,
                    response_model=None,
                )
    return heads

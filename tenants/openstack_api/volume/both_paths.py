"""Routes that stand below a project's id, as the catalogue says them, and without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter

from tenants.openstack_api.services import Service, in_region

F = TypeVar("F", bound=Callable[..., Any])

_PREFIX = in_region(Service.VOLUME) + "/v3"
_PROJECT = {
    "name": "project",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "maxLength": 64},
    "description": "The member's own code, and no other.",
}


class Routes:
    """`named` are the ones that are described; `plain` are the same without the project's id."""

    def __init__(self) -> None:
        self.named = APIRouter(prefix=_PREFIX + "/{project}", tags=["openstack block storage"])
        self.plain = APIRouter(prefix=_PREFIX, include_in_schema=False)

    def route(self, method: str, path: str, *, status: int = 200) -> Callable[[F], F]:
        def mark(endpoint: F) -> F:
            for router in (self.plain, self.named):
                router.add_api_route(
                    path,
                    endpoint,
                    methods=[method],
                    status_code=status,
                    response_model=None,
                    openapi_extra={"parameters": [_PROJECT]} if router is self.named else None,
                )
            return endpoint

        return mark

    def get(self, path: str) -> Callable[[F], F]:
        return self.route("GET", path)

    def post(self, path: str, status: int = 200) -> Callable[[F], F]:
        return self.route("POST", path, status=status)

    def put(self, path: str) -> Callable[[F], F]:
        return self.route("PUT", path)

    def delete(self, path: str, status: int = 202) -> Callable[[F], F]:
        return self.route("DELETE", path, status=status)

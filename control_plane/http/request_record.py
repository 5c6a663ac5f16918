"""Gives every request an id, counts and times it, and writes one log line about it.

It stands outermost, so it also turns a fault of ours into a problem document that tells nothing of
our inside.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.http.metrics import RequestMetrics
from control_plane.http.problems import internal_error, problem
from control_plane.http.token_shapes import holds_token

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestRecord:
    """ASGI middleware. An `X-Request-Id` of 8 to 64 letters, digits and `._-` is kept, anything
    else is replaced."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = structlog.get_logger("yui.http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        sound = _GIVEN_ID.fullmatch(given) is not None and not holds_token(given.encode())
        request_id = given if sound else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            self._log.exception("request failed", request_id=request_id, method=method_of(scope))
            if status:
                raise
            await problem(scope, internal_error())(scope, receive, send_marked)
        finally:
            self._record(scope, request_id, status, time.perf_counter() - began)

    def _record(
        self, scope: MutableMapping[str, Any], request_id: str, status: int, seconds: float
    ) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.count(method_of(scope), route, status, seconds)
        principal = scope["state"].get("principal")
        self._log.info(
            "request",
            request_id=request_id,
            method=method_of(scope),
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            token=None if principal is None else principal.token,
        )


def method_of(scope: MutableMapping[str, Any]) -> str:
    """The method where it is one that anything takes: any other is a word of the client's."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"

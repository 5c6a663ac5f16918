"""A path means the same to everybody who reads it: to us, to proxies before us, and to whoever reads a log.

What is written as an escape and taken as a separator (`%2F`), or means another path to some (`..`, `//`),
is refused (RFC 3986 §6.2, §7.3).
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.http.problems import problem
from control_plane.model.errors import YuiError

_UNCLEAR = re.compile(rb"%(?:2f|5c|25|3b|[01][0-9a-f]|7f)|//|[\\;]", re.IGNORECASE)
"""Escaped separators, percent signs and controls; empty segments; and what some take for separators."""
_DOTS = re.compile(rb"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


class PlainPaths:
    """ASGI middleware. Answers 400 to a path that could be taken for another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope.get("raw_path") or scope["path"].encode()
            clear = path.startswith(b"/") and scope["path"].isprintable()
            if not clear or _UNCLEAR.search(path) or _DOTS.search(path):
                await problem(scope, _PATH_UNCLEAR)(scope, receive, send)
                return
        await self._app(scope, receive, send)


_PATH_UNCLEAR = YuiError(
    "path-unclear",
    en="The request's path could be taken for another: write it without '..', '//', ';' and escaped separators.",
    ja="リクエストのパスがほかのパスと取り違えられるおそれがあります。「..」「//」「;」や、区切り文字のエスケープを使わずに書いてください。",
    status=400,
)

"""What makes a request below the prefix one of OpenStack's: its token, its errors, what its answer carries."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenants.openstack_api.answer_headers import mark
from tenants.openstack_api.errors import error_answer
from tenants.openstack_api.services import IDENTITY, PREFIX, service_of

_VERSIONS = re.compile(
    rf"{PREFIX}/regions/[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?"
    r"/(?:compute(?:/v2\.1)?|image(?:/versions)?|network|volume)"
)
"""Documents of versions that stand before authentication in the services' own pipelines (their
api-paste.ini); those of Network v2.0 and of Block Storage v3 stand behind it."""

_SIGNING_IN = ("POST", f"{IDENTITY}/v3/auth/tokens")

BRINGING_TOKENS = frozenset({_SIGNING_IN})
"""Requests whose bodies prove who asks."""


def is_open(method: str, path: str) -> bool:
    """What strangers may ask: which versions there are, and to be let in."""
    if path in (IDENTITY, f"{IDENTITY}/v3"):
        return method in ("GET", "HEAD")
    if (method, path) == _SIGNING_IN:
        return True
    return method == "GET" and _VERSIONS.fullmatch(path) is not None


class OpenStackEdge:
    """ASGI middleware, to stand outside of whatever may answer. `X-Auth-Token` is what other paths take
    as a bearer token; paths end with or without a slash, as clients write both."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or service_of(scope["path"]) is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["error_shape"] = error_answer
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        token = next((value for name, value in headers if name == b"x-auth-token"), None)
        if token is not None:
            headers.append((b"authorization", b"Bearer " + token))
        scope["headers"] = headers
        if scope["path"].endswith("/") and len(scope["path"]) > 1:
            scope["path"] = scope["path"].rstrip("/")

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                mark(MutableHeaders(scope=message), scope)
            await send(message)

        await self._app(scope, receive, send_marked)

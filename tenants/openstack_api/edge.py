"""What makes a request below the prefix one of OpenStack's: its token, its errors, its request id."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenants.openstack_api.errors import error_answer
from tenants.openstack_api.services import IDENTITY, service_of

OPEN = frozenset(
    {
        ("GET", IDENTITY),
        ("GET", f"{IDENTITY}/"),
        ("GET", f"{IDENTITY}/v3"),
        ("GET", f"{IDENTITY}/v3/"),
        ("POST", f"{IDENTITY}/v3/auth/tokens"),
    }
)
"""What strangers may ask: which versions there are, and to be let in."""

BRINGING_TOKENS = frozenset({("POST", f"{IDENTITY}/v3/auth/tokens")})
"""Requests whose bodies prove who asks."""


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
        request_id = f"req-{secrets.token_hex(16)}"

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-OpenStack-Request-Id"] = request_id
            await send(message)

        await self._app(scope, receive, send_marked)

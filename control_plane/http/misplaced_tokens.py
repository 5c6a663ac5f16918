"""Tokens are for the header Authorization: anywhere else they would be kept, logged or shown to others.

A path ends in the logs of proxies, an idempotency key in the state, a label on the screens of others. A
request that carries a token there is refused before anything of it is kept, and nothing repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.http.problems import problem
from control_plane.http.token_shapes import holds_token
from control_plane.model.errors import YuiError

_KEPT_HEADERS = frozenset(
    {b"idempotency-key", b"x-request-id", b"last-event-id", b"if-match", b"yui-break-glass"}
)
"""Those whose values are kept, logged or answered; proxies may put tokens of theirs into others."""


class TokenPlaces:
    """ASGI middleware, to stand where nothing has been kept of a request. Answers 400 to a token in its
    method, path, query, or a header that is kept; bodies are looked at where they are taken in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and any(holds_token(part) for part in _kept(scope)):
            await problem(scope, TOKEN_MISPLACED)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _kept(scope: Scope) -> Iterator[bytes]:
    yield scope["method"].encode()
    yield scope["path"].encode()
    yield unquote_to_bytes(scope["query_string"])
    for name, value in scope["headers"]:
        if name in _KEPT_HEADERS:
            yield value


TOKEN_MISPLACED = YuiError(
    "token-misplaced",
    en="A token stands where others may read it: send it in the header 'Authorization: Bearer …' alone, and have this one revoked.",
    ja="トークンが、ほかの人の目に触れる場所に入っています。トークンは「Authorization: Bearer …」ヘッダーだけに入れ、このトークンは取り消してください。",
    status=400,
)

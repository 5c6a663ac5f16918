"""Takes in a request's body within bounds of size and time, before anything else looks at it."""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.http.misplaced_tokens import TOKEN_MISPLACED
from control_plane.http.problems import problem
from control_plane.http.token_shapes import holds_token
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds


class BodyLimit:
    """ASGI middleware. A body beyond `most_bytes` is answered with 413, one that takes longer than
    `patience` with 408, and one that is no text or holds a token with 400."""

    def __init__(self, app: ASGIApp, most_bytes: int, patience: Seconds) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._most_bytes:
            await self._refuse(self._too_large(), scope, receive, send)
            return
        try:
            with anyio.fail_after(self._patience):
                body = await self._take_in(receive)
        except TimeoutError:
            await self._refuse(_TOO_SLOW, scope, receive, send)
            return
        if body is None:
            return
        if len(body) > self._most_bytes:
            await self._refuse(self._too_large(), scope, receive, send)
            return
        if not _is_text(body):
            await problem(scope, _NO_TEXT)(scope, receive, send)
            return
        if holds_token(body):
            await problem(scope, TOKEN_MISPLACED)(scope, receive, send)
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_taken() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, receive_taken, send)

    async def _take_in(self, receive: Receive) -> bytes | None:
        """The body, or its beginning where it is too large; None when the client went away."""
        body = bytearray()
        more = True
        while more and len(body) <= self._most_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)

    async def _refuse(self, error: YuiError, scope: Scope, receive: Receive, send: Send) -> None:
        # Closed at once, the connection would often be gone before its client has read why: it stays
        # for what is left of the body, for as long as a connection waits for anything.
        await problem(scope, error)(scope, receive, send)

    def _too_large(self) -> YuiError:
        return YuiError(
            "request-too-large",
            en=f"The request's body is larger than {self._most_bytes} bytes: send it in smaller parts.",
            ja=f"リクエスト本文が {self._most_bytes} バイトを超えています。小さく分けて送ってください。",
            status=413,
            fields={"most_bytes": self._most_bytes},
        )


def _is_text(body: bytes) -> bool:
    """UTF-8 without zeros, as JSON is (RFC 8259 §8.1): what is read in other encodings could hold what
    nobody looked for."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return 0 not in body


_NO_TEXT = YuiError(
    "request-unreadable",
    en="The request's body could not be read: send one JSON value in UTF-8.",
    ja="リクエスト本文を読み取れませんでした。UTF-8 の JSON を1つ送ってください。",
    status=400,
)
_TOO_SLOW = YuiError(
    "request-too-slow",
    en="The request's body did not arrive in time: send it again.",
    ja="リクエスト本文が時間内に届きませんでした。もう一度送ってください。",
    status=408,
)

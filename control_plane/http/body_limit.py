"""Takes in a request's body within bounds of size and time, before anything else looks at it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.http.misplaced_tokens import TOKEN_MISPLACED
from control_plane.http.problems import problem
from control_plane.http.token_shapes import holds_token
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Streamed:
    """Requests whose bodies are taken in by their routes, part by part: `most_bytes` at most, each part
    within the usual patience, and all of them no slower than `least_pace` bytes a second."""

    method: str
    path: re.Pattern[str]
    most_bytes: int
    least_pace: int = 16 * 1024

    def includes(self, scope: Scope) -> bool:
        return scope["method"] == self.method and self.path.fullmatch(scope["path"]) is not None


class BodyLimit:
    """ASGI middleware. A body beyond `most_bytes` is answered with 413, one that takes longer than
    `patience` with 408, and one that is no text or holds a token with 400."""

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int,
        patience: Seconds,
        streamed: tuple[Streamed, ...] = (),
        bringing_tokens: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        """`bringing_tokens` are the methods and paths of those few requests whose bodies prove who asks."""
        self._app = app
        self._streamed = streamed
        self._bringing_tokens = bringing_tokens
        self._most_bytes = most_bytes
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        streamed = next((each for each in self._streamed if each.includes(scope)), None)
        most = self._most_bytes if streamed is None else streamed.most_bytes
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > most:
            await self._refuse(_too_large(most), scope, receive, send)
            return
        if streamed is not None:
            await self._app(scope, self._in_parts(streamed, receive), send)
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
            await self._refuse(_too_large(most), scope, receive, send)
            return
        if not _is_text(body):
            await problem(scope, _NO_TEXT)(scope, receive, send)
            return
        brings = (scope["method"], scope["path"]) in self._bringing_tokens
        if not brings and holds_token(body):
            await problem(scope, TOKEN_MISPLACED)(scope, receive, send)
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_taken() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, receive_taken, send)

    def _in_parts(self, streamed: Streamed, receive: Receive) -> Receive:
        """Raises, where the route asks for the next part, what is answered otherwise."""
        began, taken = anyio.current_time(), 0

        async def receive_within() -> Message:
            nonlocal taken
            left = began + self._patience + taken / streamed.least_pace - anyio.current_time()
            try:
                with anyio.fail_after(min(self._patience, max(0.0, left))):
                    message = await receive()
            except TimeoutError:
                raise _TOO_SLOW from None
            taken += len(message.get("body", b""))
            if taken > streamed.most_bytes:
                raise _too_large(streamed.most_bytes)
            return message

        return receive_within

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


def _too_large(most_bytes: int) -> YuiError:
    return YuiError(
        "request-too-large",
        en=f"The request's body is larger than {most_bytes} bytes: send it in smaller parts.",
        ja=f"リクエスト本文が {most_bytes} バイトを超えています。小さく分けて送ってください。",
        status=413,
        fields={"most_bytes": most_bytes},
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

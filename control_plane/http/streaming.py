"""Server-sent events (WHATWG HTML, §9.2): what happens is sent as it happens, over one answer that stays
open.

A stream is of no use to somebody whose token no longer counts, so it is asked again before anything is
sent and with each heartbeat. How many streams are open is bounded, in all and for each token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
from fastapi import Header, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from control_plane.http.principal import Principal
from control_plane.model.errors import YuiError

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": still here\n\n"

STREAM_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events until the client goes, the token ends, or the server stops.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}

LastEventId = Annotated[
    str | None,
    Header(
        pattern=r"^[0-9]{1,18}$",
        description="The number of the last event that came, as browsers send it when they come back.",
    ),
]


@dataclass(slots=True)
class Streams:
    """Those that are open. Belongs to one event loop."""

    most: int = 200
    most_each: int = 10
    _open: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def one(self, who: Principal) -> Iterator[None]:
        """Raises `too-many-streams` (429)."""
        if self._open[who.token] >= self.most_each or self._open.total() >= self.most:
            raise YuiError(
                "too-many-streams",
                en=f"Too many streams are open ({self.most_each} for one token, {self.most} in all): close one, or ask with wait instead.",
                ja=f"開いているストリームが多すぎます(トークンごとに {self.most_each} 本、全体で {self.most} 本まで)。どれかを閉じるか、wait を指定して問い合わせてください。",
                status=429,
            )
        self._open[who.token] += 1
        try:
            yield
        finally:
            self._open[who.token] -= 1
            if not self._open[who.token]:
                del self._open[who.token]

    @property
    def count(self) -> int:
        return self._open.total()


def message(kind: str, data: object, number: int | None = None) -> bytes:
    """One event of a stream. JSON has no line breaks of its own, so its data is one line."""
    head = f"event: {kind}\n" if number is None else f"event: {kind}\nid: {number}\n"
    return head.encode() + b"data: " + orjson.dumps(data, option=orjson.OPT_UTC_Z) + b"\n\n"


def still_known(request: Request) -> Callable[[], Awaitable[bool]]:
    """Asks whether the token that this request came with still counts."""
    again: Callable[[], Awaitable[Principal | None]] = request.state.recognise_again
    first: Principal = request.state.principal

    async def known() -> bool:
        try:
            now = await again()
        except (YuiError, TimeoutError):
            return False
        return now is not None and now.permissions == first.permissions

    return known


class Stream(StreamingResponse):
    """An answer that stays open, and holds its place among the streams until it ends."""

    media_type = MEDIA_TYPE

    def __init__(self, messages: AsyncIterator[bytes], place: AbstractContextManager[None]) -> None:
        place.__enter__()
        self._place = place
        super().__init__(messages, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._place.__exit__(None, None, None)

"""One client's connection: what is no request is answered in our words, and nobody holds one for nothing.

uvicorn waits for ever for the rest of a request's head, for the body of a request that it has answered
already, and for a client to take its answer. Here each of these ends, and where a request leaves open
where it ends, as two readers might see it differently (RFC 9112 §6.3, §11.2), it is refused.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import h11
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from control_plane.http.problems import MEDIA_TYPE, problem_document
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """A request's head of at most `head_bytes` comes within `head_patience`, as does what is left of a
    body after its answer. A client that takes nothing of its answer is left after `taking_patience`. Of
    more than `most` connections, the one that has waited longest without a request is closed."""

    head_patience: Seconds = Seconds(10)
    taking_patience: Seconds = Seconds(60)
    head_bytes: int = 32 * 1024
    most: int = 900


class _Reader(h11.Connection):
    """h11's reader of requests, which keeps what it refused for and refuses some things more."""

    def __init__(self, head_bytes: int) -> None:
        super().__init__(h11.SERVER, head_bytes)
        self.refused_with = 400
        self._head_bytes = head_bytes

    def next_event(self) -> Any:
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._check(event)
        except h11.RemoteProtocolError as error:
            self.refused_with = error.error_status_hint
            raise
        return event

    def _check(self, request: h11.Request) -> None:
        # h11 bounds what is incomplete alone; how much of a head comes at once is up to the network.
        lines = sum(len(name) + len(value) + 4 for name, value in request.headers)
        if len(request.target) + lines > self._head_bytes:
            raise h11.RemoteProtocolError("head too long", error_status_hint=431)
        if request.http_version not in (b"1.0", b"1.1"):
            raise h11.RemoteProtocolError("unknown version", error_status_hint=505)
        names = {name for name, _ in request.headers}
        if b"transfer-encoding" in names and (
            b"content-length" in names or request.http_version == b"1.0"
        ):
            raise h11.RemoteProtocolError("two lengths")


class ClientConnection(H11Protocol):
    """Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: ConnectionBounds,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._reader = _Reader(bounds.head_bytes)
        self.conn = self._reader
        self._awaited = ""
        self._awaited_since = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self._bounds.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_longer_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(self._bounds.taking_patience, self.transport.abort)

    def resume_writing(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 — uvicorn's word for it
        """The answer to what is no request."""
        self._refuse(_refusal(self._reader.refused_with))

    def _watch(self) -> None:
        """Set a bound to what the client is to send next, from when that was awaited first."""
        if self.transport.is_closing():
            self._no_longer_waiting()
            return
        awaited = self._what_is_awaited()
        if awaited == self._awaited:
            return
        self._no_longer_waiting()
        self._awaited = awaited
        if awaited:
            self._awaited_since = self.loop.time()
            self._patience = self.loop.call_later(self._bounds.head_patience, self._too_slow)

    def _what_is_awaited(self) -> str:
        if self.conn.their_state is h11.IDLE:
            begun = bool(self.conn.trailing_data[0])
            return "head" if begun or self.timeout_keep_alive_task is None else ""
        answered = self.conn.our_state in (h11.DONE, h11.MUST_CLOSE)
        return "rest" if answered and self.conn.their_state is h11.SEND_BODY else ""

    def _no_longer_waiting(self) -> None:
        self._awaited = ""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        if self._awaited == "head" and self.conn.trailing_data[0]:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        waiting = [
            other
            for other in self.connections
            if isinstance(other, ClientConnection) and other._awaited and other is not self
        ]
        idle = min(waiting, key=lambda other: other._awaited_since, default=self)
        idle.transport.abort()

    def _refuse(self, error: YuiError) -> None:
        """Answer and close. Whatever the request has set going learns that its client is gone."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = orjson.dumps(problem_document(error))
            headers = [
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-language", b"en"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=error.status, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._no_longer_waiting()
        self.transport.close()


_TOO_SLOW = YuiError(
    "request-too-slow",
    en="The request did not arrive in time: send it again.",
    ja="リクエストが時間内に届きませんでした。もう一度送ってください。",
    status=408,
)


def _refusal(status: int) -> YuiError:
    match status:
        case 431:
            return YuiError(
                "request-head-too-large",
                en="The request's address and headers are too long: send shorter ones.",
                ja="リクエストのアドレスとヘッダーが長すぎます。短くして送ってください。",
                status=431,
            )
        case 501:
            return YuiError(
                "transfer-encoding-unknown",
                en="The request's body comes in a transfer encoding other than 'chunked': send it plain.",
                ja="リクエスト本文の転送符号化(Transfer-Encoding)には対応していません。chunked か、符号化なしで送ってください。",
                status=501,
            )
        case 505:
            return YuiError(
                "http-version-unknown",
                en="The request is in a version of HTTP that is not known here: use HTTP/1.1.",
                ja="リクエストの HTTP のバージョンには対応していません。HTTP/1.1 を使ってください。",
                status=505,
            )
        case _:
            return YuiError(
                "request-malformed",
                en="What came is no HTTP/1.1 request with one clear end: look at its first line, its headers and its length.",
                ja="正しい HTTP/1.1 のリクエストではありません。先頭行、ヘッダー、本文の長さを確認してください。",
                status=400,
            )

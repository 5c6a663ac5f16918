"""An application is asked in the process of the test, and its answer taken whole.

Starlette's client hands every answer over piece by piece, as it would a stream, from the thread that
the application runs in: eight times to and fro for each request, which takes longer than most of our
answers. Nothing that is asked so streams; what does is asked over a socket.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import anyio
import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from fastapi.testclient import TestClient


class InProcess(TestClient):
    """To be entered, which starts the application. Its failures are answered as a server answers."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app, raise_server_exceptions=False)
        self._transport = _WholeAnswers(self)


class _WholeAnswers(httpx.BaseTransport):
    def __init__(self, client: InProcess) -> None:
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        portal = self._client.portal
        assert isinstance(portal, BlockingPortal)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "path": unquote(request.url.path),
            "raw_path": request.url.raw_path.split(b"?", 1)[0],
            "root_path": "",
            "scheme": request.url.scheme,
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("testclient", 50000),
            "server": [request.url.host, request.url.port or 80],
            "state": self._client.app_state.copy(),
        }
        answer = portal.call(_answer, self._client.app, scope, request.read())
        return httpx.Response(**answer, request=request)


async def _answer(app: Any, scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    waiting = [{"type": "http.request", "body": body}]
    complete = anyio.Event()
    answer: dict[str, Any] = {"status_code": 500}
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        assert not complete.is_set(), "there is more of an answer that was complete"
        if message["type"] == "http.response.start":
            assert "headers" not in answer, "an answer begins twice"
            answer.update(status_code=message["status"], headers=message.get("headers", []))
            return
        assert message["type"] == "http.response.body", message["type"]
        assert "headers" in answer, "an answer has a body before it begins"
        pieces.append(bytes(message.get("body", b"")))
        if not message.get("more_body", False):
            complete.set()

    try:
        await app(scope, receive, send)
    except Exception:
        # Which the application has logged; it may have answered by then.
        answer.setdefault("headers", [])
    body = b"" if scope["method"] == "HEAD" else b"".join(pieces)
    return {**answer, "stream": httpx.ByteStream(body)}

"""Between a program and the API: lets requests pass, or not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.plain_http import ask

REFUSAL = {"type": "urn:yui:problem:refused-here", "detail": "The gate is shut."}


class Gate:
    """`shut` says which requests are refused, by method and path, `dropped` which don't come through, and `lost` which do
    and get no answer; `asked` are those that came, but for those that only look."""

    def __init__(self, api: str) -> None:
        self._api = api
        self.shut: Callable[[str, str], bool] = lambda _method, _path: False
        self.dropped = self.lost = self.shut
        self.asked: list[tuple[str, str]] = []
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                gate.pass_on(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        method, path = request.command, request.path
        if method != "GET" and "dry_run" not in path:
            self.asked.append((method, path))
        if self.dropped(method, path):
            request.close_connection = True
            return
        if self.shut(method, path):
            status, content = 409, json.dumps(REFUSAL).encode()
        else:
            headers = {
                name: value
                for name, value in request.headers.items()
                if name.lower() not in ("host", "content-length", "connection")
            }
            answer = ask(method, self._api + path, headers=headers, content=body, timeout=60)
            status, content = answer.status_code, answer.content
        if self.lost(method, path):
            request.close_connection = True
            return
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    @contextmanager
    def open(self) -> Iterator[Gate]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

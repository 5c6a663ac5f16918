"""An S3 gateway that says what it was told to say, so that every trouble comes when it is wanted.

It checks no signatures and keeps nothing: what it proves is how its client behaves.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

DATE = "Wed, 01 Apr 2026 00:00:00 GMT"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Says:
    """One answer, with the headers that every S3 store's have unless `plainly`. `cut_after` of its bytes the connection breaks; `silent`: none comes at all."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    silent: bool = False
    plainly: bool = False

    def as_bytes(self, method: str) -> bytes:
        usual = {} if self.plainly else {"Date": DATE, "ETag": '"tag"'}
        headers = {"Content-Length": str(len(self.body)), **usual, **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = b"" if method == "HEAD" else self.body
        return f"HTTP/1.1 {self.status} Word\r\n{head}\r\n".encode() + body


def error(status: int, code: str, **headers: str) -> Says:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>of theirs</Message></Error>"
    return Says(status, body.encode(), {"Content-Type": "application/xml", **headers})


@dataclass
class Gateway:
    """`script` is what it says, request by request; afterwards `otherwise`."""

    address: str
    script: list[Says] = field(default_factory=list)
    otherwise: Callable[[Request], Says] = lambda _: Says()
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Says:
        self.requests.append(request)
        return self.script.pop(0) if self.script else self.otherwise(request)


@contextmanager
def scripted_gateway(tls: ssl.SSLContext | None = None) -> Iterator[Gateway]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        gateway = Gateway(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
        connections: list[socket.socket] = []
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    _converse(connection, gateway, ended)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield gateway
        finally:
            ended.set()
            # Closing alone does not wake who accepts.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _converse(connection: socket.socket, gateway: Gateway, ended: threading.Event) -> None:
    stream = connection.makefile("rb")
    while not ended.is_set():
        line = stream.readline().decode().split()
        if len(line) != 3:
            return
        headers = {}
        while text := stream.readline().decode().strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.read(int(headers.get("content-length", "0")))
        says = gateway.answer(Request(line[0], line[1], headers, body))
        if says.silent:
            ended.wait(30)
            return
        answer = says.as_bytes(line[0])
        connection.sendall(answer[: says.cut_after])
        if says.cut_after is not None:
            return

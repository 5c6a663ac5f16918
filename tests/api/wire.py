"""The API on a real socket, for what no HTTP client would send."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import httpx
import structlog

from control_plane.app import Options, create_app
from control_plane.cli.log_lines import LogLines
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.connection import ConnectionBounds
from control_plane.http.listening import Listening
from control_plane.http.serve import serve
from control_plane.model.units import Seconds
from control_plane.store import Store
from tenants.register import MemberRegister
from tests.api.conftest import MEMBERS, Prepared, rows_of, standard_catalogue
from tests.plain_http import ask


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """What it is refused for."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["detail"]
        return str(document["type"]).removeprefix("urn:yui:problem:")


@dataclass(frozen=True)
class Wire:
    port: int
    token: str
    store: Store
    state_file: Path
    said: io.StringIO

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(60)
        return connection

    def exchange(self, *parts: bytes) -> list[Answer]:
        """Send the parts, and read until the server closes."""
        with self.connect() as connection:
            with contextlib.suppress(OSError):
                for part in parts:
                    connection.sendall(part)
            return answers(received(connection))

    def head(
        self,
        line: str = "GET /v1/hosts HTTP/1.1",
        *more: str,
        end: bool = True,
        last: bool = True,
    ) -> bytes:
        """The head of a request of an operator's; with `last`, its answer ends the connection."""
        closing = ["Connection: close"] if last else []
        lines = [line, "Host: yui", f"Authorization: Bearer {self.token}", *closing, *more]
        return "\r\n".join(lines).encode() + (b"\r\n\r\n" if end else b"\r\n")

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        url = f"http://127.0.0.1:{self.port}{path}"
        return ask(method, url, headers=headers, timeout=60, **more)

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        return rows_of(self.state_file)


def received(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            heard += part
    return heard


def answers(heard: bytes) -> list[Answer]:
    """What came, read by the rules of HTTP/1.1."""
    found: list[Answer] = []
    while heard:
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "yui")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(heard)
        head, body = reader.next_event(), b""
        assert isinstance(head, h11.Response), (head, heard)
        while isinstance(part := reader.next_event(), h11.Data):
            body += part.data
        assert isinstance(part, h11.EndOfMessage), (part, heard)
        headers = {name.decode(): value.decode() for name, value in head.headers}
        found.append(Answer(head.status_code, headers, body))
        heard = reader.trailing_data[0]
    return found


@contextlib.contextmanager
def wired(prepared: Prepared, folder: Path) -> Iterator[Wire]:
    """Serves a copy of the prepared state, with little patience. All that it logs is in `said`."""
    state_file = folder / "state.db"
    shutil.copy(prepared.state_file, state_file)
    store = Store.open(f"sqlite:///{state_file}")
    options = Options(
        catalogue=standard_catalogue(),
        register=MemberRegister({member.code: member for member in MEMBERS}),
        body_patience=Seconds(0.5),
    )
    bounds = ConnectionBounds(head_patience=Seconds(0.5), taking_patience=Seconds(0.5), most=40)
    stop, ready, said = threading.Event(), threading.Event(), io.StringIO()
    with contextlib.ExitStack() as ending:
        ending.callback(store.close)
        _hear(said, ending)
        listening = Listening(port=0, plain_http=True)
        bound = listening.bind()
        port = bound.getsockname()[1]
        server = threading.Thread(
            target=serve,
            args=(create_app(store, SimulatedWorld(), options), listening),
            kwargs={"bound": bound, "stop": stop, "ready": ready.set, "bounds": bounds},
        )
        server.start()
        ending.callback(server.join, 60)
        ending.callback(stop.set)
        assert ready.wait(60)
        yield Wire(port, prepared.token, store, state_file, said)


def _hear(said: io.StringIO, ending: contextlib.ExitStack) -> None:
    lines = LogLines(said)
    ending.callback(lines.end)
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=lines,
    )
    ending.callback(structlog.reset_defaults)
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    ending.callback(logging.getLogger().removeHandler, handler)

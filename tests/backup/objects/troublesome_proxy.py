"""A way to a server that is slow, breaks off anywhere, and at times answers in its place."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_ERRORS = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "503": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}
_TROUBLES = (*_ERRORS, "cut going", "cut coming", "lost answer", "slow", "none", "none")


@dataclass
class Proxy:
    """`endpoint` is where it listens. `happened` counts what befell connections: each of them one
    trouble, or none until the end of its life."""

    endpoint: str
    happened: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Link:
    """`life` and `cut_after` are how many bytes pass, each way."""

    near: socket.socket
    far: socket.socket
    trouble: str
    cut_after: int
    life: int


@contextmanager
def troublesome_proxy(port: int, seed: int, *, long_lives: bool = False) -> Iterator[Proxy]:
    """Before the server on that port of loopback. With `long_lives` large objects get through at times."""
    long = 40_000_000 if long_lives else 600_000
    bag: list[str] = []
    chance = random.Random(seed)  # noqa: S311
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(f"http://127.0.0.1:{listening.getsockname()[1]}")
        connections: list[socket.socket] = []

        def accept() -> None:
            while not ended.is_set():
                try:
                    near, _ = listening.accept()
                except OSError:
                    return
                far = socket.create_connection(("127.0.0.1", port))
                connections.extend((near, far))
                if not bag:
                    bag.extend(chance.sample(_TROUBLES, len(_TROUBLES)))
                link = _Link(
                    *(near, far, bag.pop()),
                    cut_after=chance.choice([10, 300, 5_000, 200_000]),
                    life=chance.choice([2_000, 20_000, long, long]),
                )
                proxy.happened[link.trouble] += 1
                for way in ("going", "coming"):
                    threading.Thread(target=_pass_on, args=(link, way), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            ended.set()
            # Closing alone does not wake who accepts.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                _hang_up(connection)
            thread.join(10)


def _pass_on(link: _Link, way: str) -> None:
    source, target = (link.near, link.far) if way == "going" else (link.far, link.near)
    passed = 0
    with suppress(OSError):
        while data := source.recv(65_536):
            if link.trouble in _ERRORS and way == "going":
                source.sendall(_ERRORS[link.trouble])
                break
            if link.trouble == "lost answer" and way == "coming":
                # What was asked for is done, and whoever asked does not hear of it.
                break
            if link.trouble == "slow":
                time.sleep(0.02)
            cut = link.cut_after if link.trouble == f"cut {way}" else link.life
            target.sendall(data[: cut - passed])
            passed += len(data)
            if passed >= cut:
                break
    _hang_up(source)
    _hang_up(target)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()

"""Runs the API together with the work that goes on behind it, and ends both in good order.

The parts stop together: a signal ends the requests that wait, lets those under way finish, and then
tells the background work to stop. Background work that fails takes the API down with it, so that
nobody is answered by a control plane that no longer acts.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import cast

import structlog
import uvicorn
from fastapi import FastAPI

from control_plane.http.connection import ClientConnection, ConnectionBounds
from control_plane.http.edge import Edge
from control_plane.http.listening import Listening
from control_plane.model.units import Seconds

Background = Callable[[threading.Event], None]
"""Works until the event is set, then returns. It runs in a thread of its own."""

_BOUNDS = ConnectionBounds()


def serve(
    app: FastAPI,
    listening: Listening,
    background: Sequence[Background] = (),
    *,
    bound: socket.socket | None = None,
    local: socket.socket | None = None,
    stop: threading.Event | None = None,
    ready: Callable[[], None] = lambda: None,
    patience: Seconds = Seconds(20),
    bounds: ConnectionBounds = _BOUNDS,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`. `bound` is the socket of `listening`, for a caller that
    had it bound before it made anything; `local` one of `local_socket`, where plain HTTP is spoken
    too. `ready` is called once requests are answered; `patience`
    is how long requests under way, and then background work, may take to end; `bounds` are each
    connection's.

    Raises what `Listening` refuses, before anything has started, and whatever a background work
    raised.
    """
    listening.check()
    stop = stop or threading.Event()
    with bound or listening.bind() as taken:
        config = _config(app, listening, patience, bounds)
        server = _Server(config, app.state.edge, stop, ready, local)
        work = _Work(stop)
        with _signals_set(stop, server), _short_pauses():
            work.begin(background)
            try:
                server.run(sockets=[taken])
            finally:
                stop.set()
                work.end(patience)
    if work.failure is not None:
        raise work.failure


def _config(
    app: FastAPI, listening: Listening, patience: Seconds, bounds: ConnectionBounds
) -> uvicorn.Config:
    tls = not listening.plain_http
    return uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], partial(ClientConnection, bounds=bounds)),
        ws="none",
        ssl_certfile=str(listening.certificate) if tls else None,
        ssl_keyfile=str(listening.key) if tls else None,
        timeout_graceful_shutdown=int(patience),
        timeout_keep_alive=15,
        # Requests are logged with their ids by the app; what connects is nobody's proxy.
        log_config=None,
        # Else each thing that is no request is a line of the log, and anybody could fill it.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="on",
    )


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        edge: Edge,
        stop: threading.Event,
        ready: Callable[[], None],
        local: socket.socket | None,
    ) -> None:
        super().__init__(config)
        self._local = local
        self._edge = edge
        self._stop = stop
        self._ready = ready
        self._told = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are taken care of around the server, together with the background work."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._local is None:
            return
        # What stays on this machine is not encrypted, whatever the other socket's is.
        loop = asyncio.get_running_loop()
        protocol = partial(
            cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self.servers.append(await loop.create_unix_server(protocol, sock=self._local))

    async def on_tick(self, counter: int) -> bool:
        if not self._told:
            self._told = True
            self._ready()
        if self._stop.is_set():
            self._edge.watch.stop()
            self.should_exit = True
        return await super().on_tick(counter)


class _Work:
    def __init__(self, stop: threading.Event) -> None:
        self.failure: BaseException | None = None
        self._stop = stop
        self._threads: list[threading.Thread] = []

    def begin(self, background: Sequence[Background]) -> None:
        for number, work in enumerate(background):
            # A thread that hangs on a dead machine must not keep the process alive for ever.
            thread = threading.Thread(
                target=self._run, args=(work,), name=f"background-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def end(self, patience: Seconds) -> None:
        for thread in self._threads:
            thread.join(patience)
            if thread.is_alive():
                structlog.get_logger("yui.serve").warning(
                    "background work did not end in time", thread=thread.name
                )

    def _run(self, work: Background) -> None:
        try:
            work(self._stop)
        except BaseException as error:
            structlog.get_logger("yui.serve").exception("background work failed")
            self.failure = self.failure or error
        finally:
            self._stop.set()


@contextmanager
def _short_pauses() -> Iterator[None]:
    """Nobody who is to be answered waits long for other work of this process.

    Threads that compute give way after half a millisecond rather than five: an answer needs several
    turns of the interpreter. And the search for garbage, which stops everything for a tenth of a second
    where the pool is large, begins when a hundred thousand objects are left over: a reconciler that
    looks at two thousand servers makes fewer, and lets go of them by itself.
    """
    turn, garbage = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(0.0005)
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        gc.set_threshold(*garbage)


@contextmanager
def _signals_set(stop: threading.Event, server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; a second one ends the server without waiting for requests."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_: int, __: FrameType | None) -> None:
        server.force_exit = stop.is_set()
        stop.set()

    before = {name: signal.signal(name, on_signal) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)

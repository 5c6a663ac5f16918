"""One host's libvirt connection, which never waits without end for a host that is gone.

A host can vanish in three ways: it refuses or swallows the connection (a probe with a time-out comes
first), it falls silent on an open one (keepalive closes that), or its daemon answers keepalive while
a call hangs, for instance in dead storage (calls run in a thread that is given up after a while).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from urllib.parse import urlsplit

import libvirt

from control_plane.drivers.libvirt import event_loop
from control_plane.drivers.libvirt.errors import sentence, translate
from control_plane.drivers.protocol import DriverError, HostUnreachable
from control_plane.model.units import Seconds

T = TypeVar("T")

_DEFAULT_PORTS = {"qemu+tls": 16514, "qemu": 16514, "qemu+tcp": 16509, "qemu+ssh": 22}
_PROBE = Seconds(3.0)
_KEEPALIVE_INTERVAL = 2
_KEEPALIVE_COUNT = 2
"""A silent host is given up after interval x (count + 1) seconds."""
QUICK = Seconds(10.0)
"""For calls that only look or write a little."""
SLOW = Seconds(60.0)
"""For calls that start or stop a machine."""
LONG = Seconds(3600.0)
"""For copies and migrations: they take as long as they take, but a daemon stuck in dead storage, which
still answers keepalive, must not keep its caller for ever."""
_MOST_ABANDONED = 8


class Connection:
    """Connects on first use and again after every loss. Safe to use from several threads."""

    def __init__(self, uri: str, patience: Seconds = QUICK) -> None:
        """`patience` bounds connecting and every call that names no patience of its own."""
        self.uri = uri
        self._patience = patience
        self.host = urlsplit(uri).hostname or "localhost"
        self._lock = threading.Lock()
        self._connection: libvirt.virConnect | None = None
        self._abandoned = _Abandoned()
        self._failure: tuple[Seconds, str] | None = None

    def call(self, work: Callable[[libvirt.virConnect], T], patience: Seconds | None = None) -> T:
        """Run `work` on the connection. Raises HostUnreachable where the host does not answer within
        `patience`, and the protocol's error for anything that it refuses."""
        patience = self._patience if patience is None else patience
        connection = self._open()
        try:
            return self._bounded(lambda: work(connection), patience)
        except libvirt.libvirtError as error:
            if not self._alive(connection):
                self._drop(connection)
                raise HostUnreachable(
                    f"Host {self.host} stopped answering: {sentence(error)}"
                ) from error
            raise translate(self.host, error) from error
        except TimeoutError as error:
            self._drop(connection)
            raise HostUnreachable(
                f"Host {self.host} did not answer within {patience} seconds"
            ) from error

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            _close_apart(connection)

    def _open(self) -> libvirt.virConnect:
        called_at = time.monotonic()
        with self._lock:
            connection = self._connection
            if connection is not None and self._alive(connection):
                return connection
            if self._failure is not None and self._failure[0] >= called_at:
                # Others found out while this call waited for its turn.
                raise HostUnreachable(self._failure[1])
            self._connection = None
            if connection is not None:
                _close_apart(connection)
            try:
                self._connection = self._connect()
            except HostUnreachable as error:
                self._failure = (Seconds(time.monotonic()), str(error))
                raise
            return self._connection

    def _connect(self) -> libvirt.virConnect:
        event_loop.ensure_running()
        self._probe()
        try:
            return self._bounded(self._greet, self._patience, _close_apart)
        except libvirt.libvirtError as error:
            raise HostUnreachable(f"Host {self.host}: {sentence(error)}") from error
        except TimeoutError as error:
            raise HostUnreachable(
                f"Host {self.host} took the connection and then said nothing for {self._patience} seconds"
            ) from error

    def _probe(self) -> None:
        """Raises HostUnreachable at once for an address that swallows packets, on which libvirt
        itself would wait for minutes."""
        parts = urlsplit(self.uri)
        if not parts.hostname:
            return
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        if port is None:
            raise DriverError(f"The connection {parts.scheme}://{parts.hostname} has no known port")
        try:
            socket.create_connection(
                (parts.hostname, port), timeout=min(_PROBE, self._patience)
            ).close()
        except OSError as error:
            raise HostUnreachable(
                f"Host {self.host} does not take connections on port {port}: {error.strerror or error}"
            ) from error

    def _greet(self) -> libvirt.virConnect:
        connection = libvirt.open(self.uri)
        connection.setKeepAlive(_KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT)
        return connection

    @staticmethod
    def _alive(connection: libvirt.virConnect) -> bool:
        try:
            return bool(connection.isAlive())
        except libvirt.libvirtError:
            return False

    def _drop(self, connection: libvirt.virConnect) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
        _close_apart(connection)

    def _bounded(
        self,
        work: Callable[[], T],
        patience: Seconds,
        too_late: Callable[[T], None] = lambda _: None,
    ) -> T:
        """Run `work` in a thread of its own and raise TimeoutError when it takes longer. The thread
        is left behind then, since libvirt has no way to interrupt a call, and hands what it still
        brings to `too_late`. So that these can't pile up, a connection with many of them takes no
        more calls until some have ended."""
        if self._abandoned.full():
            raise HostUnreachable(f"Host {self.host} has too many calls that it never answered")
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(work())
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=run, name=f"libvirt-{self.host}", daemon=True).start()
        try:
            return outcome.result(patience)
        except TimeoutError:
            if outcome.done():
                # The work itself raised it, or ended at this very moment.
                return outcome.result()
            self._abandoned.add(outcome, too_late)
            raise


class _Abandoned:
    """Calls that were given up and have not ended yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def full(self) -> bool:
        with self._lock:
            return self._count >= _MOST_ABANDONED

    def add(self, outcome: Future[T], too_late: Callable[[T], None]) -> None:
        with self._lock:
            self._count += 1

        def ended(done: Future[T]) -> None:
            with self._lock:
                self._count -= 1
            if done.exception() is None:
                too_late(done.result())

        outcome.add_done_callback(ended)


def _close_apart(connection: libvirt.virConnect) -> None:
    """Close without waiting: the goodbye to a dead host may itself hang."""

    def close() -> None:
        with contextlib.suppress(libvirt.libvirtError):
            connection.close()

    threading.Thread(target=close, name="libvirt-close", daemon=True).start()

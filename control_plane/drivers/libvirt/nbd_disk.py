"""Reads one disk over NBD with several requests under way, and tells its data from zeros and changes.

libnbd comes from Debian (python3-libnbd) and not from a package index, so a virtual environment does not
see it: it is looked for where Debian's Python keeps its modules.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.extents import aligned, pieces, within
from control_plane.drivers.libvirt import nbd_buffers
from control_plane.drivers.libvirt.nbd_transport import Place, Protection
from control_plane.drivers.libvirt.qcow2_bitmaps import Marks
from control_plane.drivers.nbd.protocol import ALLOCATION, ZERO
from control_plane.drivers.protocol import DriverError, HostUnreachable, ReadingBroken
from control_plane.model.full_read import WhyFull
from control_plane.model.units import Seconds

_DEBIAN = "/usr/lib/python3/dist-packages"
_AHEAD = 8
"""QEMU works on up to 16 requests of one client at a time."""
_ASK_ABOUT = 2**32 - 2**16
"""Bytes whose extents are asked for at a time; the protocol's lengths have 32 bits."""
_SILENCE = Seconds(60.0)
_PROBE = Seconds(5.0)
_DIRTY = 1


def load_libnbd(folder: str = _DEBIAN) -> ModuleType:
    """Raises DriverError where it is installed neither for this Python nor in `folder`."""
    try:
        return importlib.import_module("nbd")
    except ImportError:
        pass
    # Behind all else, and only while it is loaded: nothing else is to come from there.
    sys.path.append(folder)
    try:
        return importlib.import_module("nbd")
    except ImportError as error:
        raise DriverError(
            "Servers' disks are read with libnbd, which is not installed here for this Python: install Debian's package python3-libnbd"
        ) from error
    finally:
        sys.path.remove(folder)


@dataclass(frozen=True, slots=True)
class Served:
    """A disk as QEMU serves it: `export` is its name there. What changed is told by the `bitmap` served
    with it, or is `changed`; with neither all is told. `lost` says why the reading broke off, when it
    has."""

    name: str
    export: str
    bitmap: str | None
    why: WhyFull | None
    lost: Callable[[], Exception]
    changed: Marks | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    """The bytes asked for lie `within` bytes behind the buffer's beginning. `cookie` is libnbd's number."""

    offset: int
    length: int
    buffer: Any
    within: int
    cookie: int

    def data(self) -> bytes:
        return bytes(memoryview(self.buffer.to_buffer())[self.within : self.within + self.length])


class NbdDisk:
    """See SourceDisk."""

    def __init__(self, place: Place, served: Served) -> None:
        """Connects. Raises DriverError, HostUnreachable."""
        self._nbd = load_libnbd()
        self._served = served
        self._changes = None if served.bitmap is None else f"qemu:dirty-bitmap:{served.bitmap}"
        _probe(place)
        handle = self._nbd.NBD()
        try:
            handle.add_meta_context(ALLOCATION)
            if self._changes is not None:
                handle.add_meta_context(self._changes)
            handle.set_export_name(served.export)
            _connect(handle, place)
            offered = (ALLOCATION, *([self._changes] if self._changes else []))
            missing = [each for each in offered if not handle.can_meta_context(each)]
            self._size = int(handle.get_size())
        except self._nbd.Error as error:
            raise DriverError(
                f"The disk {served.name} could not be opened at {place.transport.host or place.socket}: {error.string}"
            ) from error
        if missing:
            raise DriverError(f"QEMU does not offer {missing[0]} of the disk {served.name}")
        self._handle: Any = handle

    @property
    def name(self) -> str:
        return self._served.name

    @property
    def size(self) -> int:
        return self._size

    @property
    def changed_only(self) -> bool:
        return self._served.why is None

    @property
    def why(self) -> WhyFull | None:
        return self._served.why

    def extents(self, align: int = 1) -> Iterator[Extent]:
        told = self._extents()
        if self._served.changed is not None:
            told = within(told, self._served.changed.extents())
        return aligned(told, align, self._size)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self._size:
            raise ValueError("beyond the disk")
        return b"".join(piece for _, piece in self.stream([Extent(offset, length, True)]))

    def stream(self, extents: Iterable[Extent]) -> Iterator[tuple[int, bytes]]:
        wanted = nbd_buffers.cut(pieces(extents))
        under_way: deque[_Request] = deque()
        try:
            while True:
                while len(under_way) < _AHEAD and (piece := next(wanted, None)) is not None:
                    under_way.append(self._begin(*piece))
                if not under_way:
                    return
                self._finish(under_way[0].cookie)
                request = under_way.popleft()
                data = request.data()
                nbd_buffers.give_back(request.buffer)
                yield request.offset, data
        finally:
            # Into the buffer of a request that has not ended the host may still write.
            with contextlib.suppress(DriverError):
                for request in under_way:
                    self._finish(request.cookie)
                    nbd_buffers.give_back(request.buffer)

    def close(self) -> None:
        """Without a farewell: the other side may be gone."""
        self._handle = None

    def _begin(self, offset: int, length: int) -> _Request:
        size = length if length in nbd_buffers.SIZES else nbd_buffers.SIZES[-1]
        # What is shorter than a buffer is read with some of what lies around it.
        place = max(0, min(offset, self._size - size))
        handle = self._open()
        buffer = nbd_buffers.take(size, self._nbd.Buffer)
        try:
            cookie = int(handle.aio_pread(buffer, place))
        except self._nbd.Error as error:
            raise self._served.lost() from error
        return _Request(offset, length, buffer, offset - place, cookie)

    def _finish(self, cookie: int) -> None:
        handle = self._open()
        try:
            while not handle.aio_command_completed(cookie):
                if handle.poll(int(_SILENCE * 1000)) == 0:
                    raise HostUnreachable(
                        f"The host of disk {self.name} sent nothing for {_SILENCE:.0f} seconds"
                    )
        except self._nbd.Error as error:
            raise self._served.lost() from error

    def _open(self) -> Any:
        if self._handle is None:
            raise ReadingBroken(f"The reading of disk {self.name} has been closed")
        return self._handle

    def _extents(self) -> Iterator[Extent]:
        place = 0
        while place < self._size:
            told = self._ask(place)
            zeros = told[ALLOCATION]
            if self._changes is None:
                for length, flags in zeros:
                    yield Extent(place, length, not flags & ZERO)
                    place += length
                continue
            for length, zero, dirty in _together(zeros, told[self._changes]):
                if dirty & _DIRTY:
                    yield Extent(place, length, not zero & ZERO)
                place += length

    def _ask(self, place: int) -> dict[str, list[tuple[int, int]]]:
        """Lengths and flags from `place` on, by context; each reaches some way, and not always as far as
        the other."""
        told: dict[str, list[tuple[int, int]]] = {}
        most = min(_ASK_ABOUT, self._size - place)

        def take(context: str, _offset: int, entries: list[int], _error: object) -> int:
            told[context] = list(zip(entries[::2], entries[1::2], strict=True))
            return 0

        handle = self._open()
        try:
            cookie = handle.aio_block_status(most, place, take)
        except self._nbd.Error as error:
            raise self._served.lost() from error
        self._finish(cookie)
        contexts = [ALLOCATION, *([self._changes] if self._changes else [])]
        if not all(told.get(context) for context in contexts):
            raise DriverError(f"QEMU did not tell the extents of disk {self.name}")
        # The last entry may reach beyond what was asked about.
        return {context: _cut(entries, self._size - place) for context, entries in told.items()}


def _cut(entries: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    cut = []
    for length, flags in entries:
        cut.append((min(length, most), flags))
        most -= cut[-1][0]
    return [entry for entry in cut if entry[0]]


def _together(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> Iterator[tuple[int, int, int]]:
    """Lengths with the flags of both, as far as both reach."""
    left, right = deque(one), deque(other)
    while left and right:
        length = min(left[0][0], right[0][0])
        yield length, left[0][1], right[0][1]
        for side in (left, right):
            rest, flags = side.popleft()
            if rest > length:
                side.appendleft((rest - length, flags))


def _probe(place: Place) -> None:
    """libnbd itself waits for minutes where a firewall swallows packets."""
    if place.socket:
        return
    try:
        socket.create_connection((place.transport.host, place.port), timeout=_PROBE).close()
    except OSError as error:
        raise DriverError(
            f"Host {place.transport.host} serves a disk on port {place.port}, which is not reached from here ({error.strerror or error}): let its firewall pass it"
        ) from error


def _connect(handle: Any, place: Place) -> None:
    if place.socket:
        handle.connect_unix(place.socket)
        return
    if place.transport.protection is not Protection.TLS:
        handle.connect_tcp(place.transport.host, str(place.port))
        return
    nbd = load_libnbd()
    if not handle.supports_tls():
        raise DriverError("This machine's libnbd can't speak TLS")
    with tempfile.TemporaryDirectory() as folder:
        for name, path in place.transport.certificates().items():
            os.symlink(path.resolve(), Path(folder, name))
        handle.set_tls(nbd.TLS_REQUIRE)
        handle.set_tls_certificates(folder)
        handle.set_tls_verify_peer(True)
        handle.connect_tcp(place.transport.host, str(place.port))

"""A container group's volume as a disk that is read for a backup (drivers/backup_source.SourceDisk).

It is walked first, since a tar tells each file's length before its bytes. What a file has become meanwhile
changes nothing of where the others lie: it is cut, or filled up with zeros, to the length that it had, and
counts as changed while it was read.
"""

from __future__ import annotations

import pickle
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from backup.containers.layout import Placed, placed, tar_bytes
from control_plane.drivers.backup_source import PIECE, Extent
from control_plane.drivers.container_volumes import FileEntry, FileKind, VolumeReading
from control_plane.drivers.extents import aligned, pieces
from control_plane.drivers.protocol import DriverError
from control_plane.model.full_read import WhyFull

_MOST_NAMED = 100
_KEPT_IN_MEMORY = 8 << 20
_Asked = tuple[FileEntry, int, bool]
"""A file, how many bytes of it, and whether they are its last."""
_Run = tuple[int, bytes | _Asked]


@dataclass(slots=True)
class Changing:
    """Files that were written while they were read; `named` are the first of them."""

    files: int = 0
    named: list[bytes] = field(default_factory=list)

    def note(self, path: bytes) -> None:
        self.files += 1
        if len(self.named) < _MOST_NAMED:
            self.named.append(path)


class VolumeDisk:
    """A context manager. What was walked lies in a temporary file, so that memory does not grow with it."""

    changed_only = False
    why: WhyFull | None = None

    def __init__(self, reading: VolumeReading) -> None:
        """Walks it. Raises DriverError."""
        self._reading = reading
        self._walked: IO[bytes] = tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY)  # noqa: SIM115 — closed with us.
        self.changing = Changing()
        self.files = 0
        end = 0
        try:
            for one in placed(self._walk()):
                end = one.end
        except ValueError:
            raise DriverError(
                f"Volume {self.name} has a file of a name that no file can have."
            ) from None
        self.size = tar_bytes(end)

    def __enter__(self) -> VolumeDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._walked.close()

    @property
    def name(self) -> str:
        return self._reading.claim.name

    def extents(self, align: int = 1) -> Iterator[Extent]:
        return aligned(self._parts(), align, self.size)

    def read(self, offset: int, length: int) -> bytes:
        wanted = Extent(offset, min(length, self.size - offset), data=True)
        return b"".join(data for _, data in self.stream([wanted]))

    def stream(self, extents: Iterable[Extent]) -> Iterator[tuple[int, bytes]]:
        runs = self._runs()
        run = next(runs, None)
        for offset, length in pieces(extents):
            piece = bytearray(length)
            while run is not None and run[0] < offset + length:
                at, data = run
                begin, end = max(at, offset), min(at + len(data), offset + length)
                if begin < end:
                    piece[begin - offset : end - offset] = data[begin - at : end - at]
                if at + len(data) > offset + length:
                    break
                run = next(runs, None)
            yield offset, bytes(piece)

    def _walk(self) -> Iterator[FileEntry]:
        for entry in self._reading.walk():
            pickle.dump(entry, self._walked, protocol=5)
            self.files += 1
            yield entry

    def _placed(self) -> Iterator[Placed]:
        return placed(self._again())

    def _again(self) -> Iterator[FileEntry]:
        """Several may go over it at once."""
        at = 0
        for _ in range(self.files):
            self._walked.seek(at)
            entry: FileEntry = pickle.load(self._walked)  # noqa: S301 — what we have just written.
            at = self._walked.tell()
            yield entry

    def _parts(self) -> Iterator[Extent]:
        """Headers, and what of the files is not a hole."""
        behind = 0
        for one in self._placed():
            yield Extent(one.at, len(one.headers), data=True)
            behind = one.data_at
            for offset, length in one.entry.extents if one.entry.kind is FileKind.FILE else ():
                yield Extent(behind, one.data_at + offset - behind, data=False)
                yield Extent(one.data_at + offset, length, data=True)
                behind = one.data_at + offset + length
            yield Extent(behind, one.end - behind, data=False)
            behind = one.end
        yield Extent(behind, self.size - behind, data=False)

    def _runs(self) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of all that is written in it, in order."""
        order: deque[_Run] = deque()

        def asked() -> Iterator[tuple[FileEntry, int, int]]:
            for one in self._placed():
                order.append((one.at, one.headers))
                wanted = list(_cut(one.entry))
                for number, (offset, length) in enumerate(wanted, 1):
                    last = number == len(wanted)
                    order.append((one.data_at + offset, (one.entry, length, last)))
                    yield one.entry, offset, length

        noted: bytes | None = None
        for answer in self._reading.read(asked()):
            yield from _headers(order)
            at, what = order.popleft()
            if isinstance(what, bytes):
                raise AssertionError("headers come first")
            entry, length, last = what
            torn = len(answer.data) < length or (last and not answer.same)
            if torn and noted != entry.path:
                noted = entry.path
                self.changing.note(entry.path)
            yield at, answer.data
        yield from _headers(order)


def _headers(order: deque[_Run]) -> Iterator[tuple[int, bytes]]:
    """Those that come before the next answer."""
    while order:
        at, what = order[0]
        if not isinstance(what, bytes):
            return
        order.popleft()
        yield at, what


def _cut(entry: FileEntry) -> Iterator[tuple[int, int]]:
    """What of it is to be read, at most PIECE at a time."""
    if entry.kind is not FileKind.FILE:
        return
    for offset, length in entry.extents:
        for at in range(offset, min(offset + length, entry.size), PIECE):
            yield at, min(PIECE, offset + length - at, entry.size - at)

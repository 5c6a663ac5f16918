"""Copies one disk of a source into a recovery point: what changed, or all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from control_plane.drivers.backup_source import Extent, SourceDisk


class DiskTarget(Protocol):
    """As a point's writer has it. Both are told in ascending order of offsets; what is not told is as in
    the earlier point that it goes on from, or zero without one."""

    @property
    def chunk_bytes(self) -> int: ...

    def put(self, offset: int, data: bytes) -> None: ...

    def zeros(self, offset: int, length: int) -> None: ...


def copy_disk(source: SourceDisk, target: DiskTarget, moved: Callable[[int], None]) -> int:
    """How many bytes were read. `moved` is told up to where the disk is copied, each time that it is so
    farther; what it raises ends the copy. Raises DriverError, and what the target raises."""
    zeros: deque[Extent] = deque()
    chunks = _WholeChunks(target)
    read = 0
    for offset, data in source.stream(_put_by(source.extents(target.chunk_bytes), zeros)):
        _tell_zeros(zeros, target, chunks, before=offset)
        chunks.put(offset, data)
        read += len(data)
        moved(offset + len(data))
    _tell_zeros(zeros, target, chunks, before=None)
    chunks.flush()
    moved(source.size)
    return read


def _put_by(extents: Iterable[Extent], zeros: deque[Extent]) -> Iterator[Extent]:
    """Only what is to be read goes on to be read; it may be asked for well ahead."""
    for extent in extents:
        if extent.data:
            yield extent
        else:
            zeros.append(extent)


def _tell_zeros(
    zeros: deque[Extent], target: DiskTarget, chunks: _WholeChunks, before: int | None
) -> None:
    while zeros and (before is None or zeros[0].offset < before):
        extent = zeros.popleft()
        chunks.flush()
        target.zeros(extent.offset, extent.length)


class _WholeChunks:
    """Pieces may end within a chunk, where what is asked for at once is no multiple of it."""

    def __init__(self, target: DiskTarget) -> None:
        self._target = target
        self._begins = 0
        self._held = b""

    def put(self, offset: int, data: bytes) -> None:
        if self._held:
            if offset == self._begins + len(self._held):
                offset, data = self._begins, self._held + data
                self._held = b""
            else:
                self.flush()
        whole = len(data) - len(data) % self._target.chunk_bytes
        if whole:
            self._target.put(offset, data[:whole])
        self._begins, self._held = offset + whole, data[whole:]

    def flush(self) -> None:
        """What is left is a disk's end."""
        if self._held:
            self._target.put(self._begins, self._held)
            self._held = b""

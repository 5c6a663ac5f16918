"""Where a copied disk arrives: an image's own file, which grows as far as it is known to be safe."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from control_plane.drivers.disks import DiskFile
from images.arriving import write

_AT_ONCE = 1024 * 1024


class CaptureSink:
    """A DiskSink. An earlier attempt left `safe` bytes, of a disk whose file was `length` bytes long.

    `progress` hears of the disk's length, and how much of it is safe: at the beginning, each time that
    `every` bytes more are, and at the end. What it raises ends the copy."""

    def __init__(
        self,
        descriptor: int,
        safe: int,
        length: int | None,
        progress: Callable[[int, int], None],
        every: int,
    ) -> None:
        self._descriptor = descriptor
        self._safe, self._earlier = safe, length
        self._progress = progress
        self._every = every
        self._digest = hashlib.sha256()
        self._at = self._length = 0

    def expect(self, disk: DiskFile) -> int:
        same = self._earlier == disk.length
        held = min(self._safe, os.fstat(self._descriptor).st_size) if same else 0
        os.ftruncate(self._descriptor, held)
        while self._at < held:
            piece = os.pread(self._descriptor, min(_AT_ONCE, held - self._at), self._at)
            self._digest.update(piece)
            self._at += len(piece)
        self._length, self._safe = disk.length, held
        self._progress(disk.length, held)
        return held

    def write(self, chunk: bytes) -> None:
        self._at += write(self._descriptor, chunk, self._at)
        self._digest.update(chunk)
        if self._at - self._safe >= self._every:
            self._make_safe()

    def finish(self) -> str:
        """The sha256 of all that came."""
        self._make_safe()
        return self._digest.hexdigest()

    def _make_safe(self) -> None:
        os.fsync(self._descriptor)
        self._safe = self._at
        self._progress(self._length, self._at)

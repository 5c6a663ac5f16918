"""A disk's file, served as a recovery point's disk is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.disk_exports import ServedDisk, Unreadable
from control_plane.drivers.extents import aligned

_UNIT = 64 * 1024


class FileToServe:
    """Counts what is asked for, and can be lost. `holds` maps offsets to bytes."""

    def __init__(self, raw: Path) -> None:
        self._file = os.open(raw, os.O_RDONLY)
        self.size = os.fstat(self._file).st_size
        self.lost = False
        self.slow = lambda: None
        self.asked: set[int] = set()

    @property
    def extents(self) -> tuple[Extent, ...]:
        found, at = [], 0
        while at < self.size:
            try:
                data = os.lseek(self._file, at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(self._file, data, os.SEEK_HOLE)
            found += [Extent(at, data - at, False), Extent(data, end - data, True)]
            at = end
        if at < self.size:
            found.append(Extent(at, self.size - at, False))
        return tuple(aligned(found, _UNIT, self.size))

    @property
    def data(self) -> int:
        return sum(each.length for each in self.extents if each.data)

    @property
    def zeros(self) -> list[Extent]:
        return [each for each in self.extents if not each.data]

    def served(self) -> ServedDisk:
        return ServedDisk(self.size, self.extents, self._read)

    def _read(self, offset: int, length: int) -> bytes:
        if self.lost:
            raise Unreadable
        self.slow()
        self.asked.update(range(offset // _UNIT, -(-(offset + length) // _UNIT)))
        return os.pread(self._file, length, offset)


def raw_of(image: Path, folder: Path, size: int) -> Path:
    raw = folder / "point.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    os.truncate(raw, size)
    return raw

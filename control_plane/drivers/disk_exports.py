"""Disks that hosts read from the control plane while their servers already run on them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from control_plane.drivers.backup_source import Extent


class Unreadable(Exception):
    """These bytes can't be had just now, or ever: whoever reads them is told so and gets no others in
    their place."""


@dataclass(frozen=True, slots=True)
class ServedDisk:
    """`extents`: all of its `size` bytes in order, data and zeros told apart. `read` gives exactly the bytes
    asked for, which lie within one run of data, or raises Unreadable; several threads call it."""

    size: int
    extents: Sequence[Extent]
    read: Callable[[int, int], bytes]

    def within(self, offset: int, length: int) -> Iterator[Extent]:
        """The parts of these bytes, in order."""
        end = offset + length
        at = bisect_right(self.extents, offset, key=lambda extent: extent.offset) - 1
        while offset < end:
            extent = self.extents[at]
            upto = min(extent.end, end)
            yield Extent(offset, upto - offset, extent.data)
            offset, at = upto, at + 1


class DiskExports(Protocol):
    def place(self, name: str) -> str:
        """Where hosts find the disk that is served under `name`: a URI, the same in every life of the control
        plane."""
        ...

    def serve(self, backing: str, disk: ServedDisk) -> AbstractContextManager[None]:
        """Read-only, to whoever knows the name, until the context ends. Raises YuiError `disk-export-elsewhere` for a
        place that this control plane can't serve at."""
        ...

"""A server's disks as they were at one point in time, to be read for a backup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from control_plane.model.full_read import WhyFull

ROOT_DISK = "root"
PIECE = 2**20
"""A reader gives at most this many bytes at a time."""


class Consistency(StrEnum):
    QUIESCED = "quiesced"
    """The guest's agent had written out and frozen its file systems at that moment."""
    STOPPED = "stopped"
    CRASH = "crash"
    """As after a power cut."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of a disk; `data` False: all of them are zero."""

    offset: int
    length: int
    data: bool

    @property
    def end(self) -> int:
        return self.offset + self.length


class SourceDisk(Protocol):
    """One disk at the source's point in time; used by one thread at a time. Every method raises
    ReadingBroken where the reading came to an end before its time: all that was read is worth nothing
    then. Raises HostUnreachable where the host fell silent."""

    @property
    def name(self) -> str:
        """ROOT_DISK, or the volume's id."""
        ...

    @property
    def size(self) -> int:
        """Bytes, as the guest sees them."""
        ...

    @property
    def changed_only(self) -> bool:
        """`extents` tells only what may have changed since the recovery point that was named."""
        ...

    @property
    def why(self) -> WhyFull | None:
        """Why not; None where `changed_only`."""
        ...

    def extents(self, align: int = 1) -> Iterator[Extent]:
        """In ascending order, none overlapping another or touching one of its own kind. All of the
        disk, or all that changed; begins and ends at multiples of `align`, but for the disk's end. What
        lies within a unit of `align` with something that is to be read counts as data."""
        ...

    def read(self, offset: int, length: int) -> bytes: ...

    def stream(self, extents: Iterable[Extent]) -> Iterator[tuple[int, bytes]]:
        """The bytes of those extents that are data, each with its offset, in order, cut at multiples of
        PIECE; several are asked for ahead."""
        ...


@dataclass(frozen=True, slots=True)
class BackupSource:
    """`disks`: the root disk first, then the volumes in their order. `checkpoint` is what to name as
    `since` the next time, once this backup is secured; None: there is nothing to go on from."""

    consistency: Consistency
    checkpoint: str | None
    disks: Sequence[SourceDisk]

"""The volumes of container groups, as files: read for a backup, and written when one comes back.

A claim is what a group asks its platform for to keep files in. A reading never writes, and a writing is
refused where anything else has the claim in use: nobody's files get two writers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.protocol import DriverError
from control_plane.model.ids import ContainerGroupId
from control_plane.model.tenant import MunicipalityCode


class NoPlatform(DriverError):
    """Nothing in the region runs containers."""


class ClaimBusy(DriverError):
    """Something has the claim in use, so that nothing is written into it."""


class NoSuchClaim(DriverError):
    """The group has no claim of that name."""


class HookFailed(DriverError):
    """What the group wants to be done before it is read went wrong, so it was not read."""


class FileKind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARD_LINK = "hard-link"
    FIFO = "fifo"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One name in a volume. `path` is relative, of components divided by `/`; empty for the volume's own
    directory. `mode` are the twelve permission bits; times are nanoseconds since 1970. `target` is where a
    symbolic link leads, or the path that a hard link shares its file with. `extents` are (offset, length)
    of what is not a hole. `changed_ns` is the inode's own time of change, by which it is seen whether a
    file stayed the same while it was read; it is kept nowhere."""

    path: bytes
    kind: FileKind
    mode: int
    uid: int
    gid: int
    modified_ns: int
    changed_ns: int = 0
    size: int = 0
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    attributes: tuple[tuple[bytes, bytes], ...] = ()
    extents: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FilePiece:
    """What was read of a file. `data` is shorter than what was asked for where the file is. `same`: the
    file is still as its entry says."""

    data: bytes
    same: bool


@dataclass(frozen=True, slots=True)
class VolumeClaim:
    """`storage_class` empty: whichever the platform takes by itself."""

    name: str
    size_bytes: int
    storage_class: str = ""
    access_modes: tuple[str, ...] = ("ReadWriteOnce",)


class VolumeReading(Protocol):
    """One claim, held to be read; for one thread. Any method raises ReadingBroken where the reading came
    to an end before its time, and HostUnreachable where the platform fell silent."""

    @property
    def claim(self) -> VolumeClaim: ...

    def walk(self) -> Iterator[FileEntry]:
        """Every name of the volume: a directory before what is in it, names in the order of their bytes,
        the first name of a file with several before the others. Sockets, and what is mounted within, are
        left out."""
        ...

    def read(self, pieces: Iterable[tuple[FileEntry, int, int]]) -> Iterator[FilePiece]:
        """(file, offset, length), each at most PIECE long, in their order; several are asked for ahead.
        A file that is gone reads as nothing, and not the same."""
        ...


@dataclass(frozen=True, slots=True)
class GroupReading:
    """`consistency`: quiesced where the group's own command held it ready, stopped where nothing of the
    group ran, else crash: files were read one after another while it went on."""

    consistency: Consistency
    volumes: Sequence[VolumeReading]


class VolumeWriting(Protocol):
    """One claim, held to be written, and empty; for one thread. Raises DriverError."""

    def put(self, entry: FileEntry) -> None:
        """Make it, with all that it is but its data, and let `write` go to it. A device that the platform
        lets nobody make is left out."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Of the file put last; what is not told stays a hole."""
        ...

    def finish(self) -> Sequence[bytes]:
        """All is on the disk; directories have their times and modes. Answers the paths that could not
        be made, or not with all that they are."""
        ...


class ContainerVolumes(Protocol):
    """Of one region's platform. A member's groups live in a namespace of that member's own; what belongs
    to a group bears its id as a label."""

    def claims(self, tenant: MunicipalityCode, group: ContainerGroupId) -> Sequence[VolumeClaim]:
        """By name; none where the group does not run here."""
        ...

    def reading(
        self, tenant: MunicipalityCode, group: ContainerGroupId, *, quiesce: bool = True
    ) -> AbstractContextManager[GroupReading]:
        """All claims of the group. As the group itself wants it (see docs/backup.md), a command of its own
        is run before and another after, or the group is stopped meanwhile; not with `quiesce` False.
        Raises HookFailed, DriverError."""
        ...

    def end_reading(self, tenant: MunicipalityCode, group: ContainerGroupId) -> None:
        """What a reading stopped runs again, of which nobody is left who would end it. Raises DriverError."""
        ...

    def writing(
        self,
        tenant: MunicipalityCode,
        group: ContainerGroupId,
        claim: VolumeClaim,
        *,
        replace: bool,
    ) -> AbstractContextManager[VolumeWriting]:
        """The claim is made where there is none. With `replace` all that is in it goes first; without, it
        has to be empty. Raises ClaimBusy, DriverError."""
        ...

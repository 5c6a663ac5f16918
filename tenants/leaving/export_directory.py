"""Where exports lie: a directory that every control plane of the pool sees, one folder per leaving.

A file stands under its own name once all of it is there and was read back; what is being written has
`.part` behind its name. Only one process writes a part at a time: it holds a lock on it, which the
kernel lets go when that process dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from control_plane.drivers.disks import DiskFile
from control_plane.model.ids import OperationId
from control_plane.model.tenant import MunicipalityCode

_AT_ONCE = 1024 * 1024


class PartInUse(Exception):
    """Another process is writing this file: it may be about to be told that it no longer should."""


class Spoiled(Exception):
    """What was read back is not what was written."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file of an export, as it was read back."""

    path: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier attempt left: `safe` bytes of a disk whose file was `length` bytes long then."""

    safe: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class ExportDirectory:
    root: Path

    def of(self, member: MunicipalityCode, leaving: OperationId) -> Export:
        return Export(self.root / member.text / leaving)


@dataclass(frozen=True, slots=True)
class Export:
    """One member's export. Paths within it are relative, with `/`."""

    folder: Path

    def place(self, path: str) -> Path:
        """Raises ValueError for a path that leads out of the export."""
        parts = PurePosixPath(path).parts
        if not parts or any(part in ("..", "/") or "\0" in part for part in parts):
            raise ValueError(f"{path} is no path within an export")
        return self.folder.joinpath(*parts)

    def write(self, path: str, content: Iterable[bytes]) -> Written:
        """All of the file or nothing of it, read back. Raises OSError, Spoiled."""
        place = self.place(path)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.part")
        digest, length = hashlib.sha256(), 0
        with _private(part) as file:
            file.truncate(0)
            for chunk in content:
                file.write(chunk)
                digest.update(chunk)
                length += len(chunk)
            _to_disk(file)
        return _keep(part, place, path, length, digest.hexdigest())

    def begin_disk(
        self, path: str, earlier: Earlier, progress: Callable[[DiskFile, int], None], every: int
    ) -> DiskPart:
        """`progress` hears of the disk, and each time that `every` more bytes of it are safe."""
        return DiskPart(self.place(path), path, earlier, progress, every)

    def erase(self) -> None:
        """All of it. What is gone already is no failure."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            raise OSError(f"{self.folder} could not be removed")


class DiskPart:
    """A DiskSink. Use it as a context manager: leaving it lets go of the file, finished or not."""

    def __init__(
        self,
        place: Path,
        path: str,
        earlier: Earlier,
        progress: Callable[[DiskFile, int], None],
        every: int,
    ) -> None:
        self._place = place
        self._path = path
        self._earlier = earlier
        self._progress = progress
        self._every = every
        self._digest = hashlib.sha256()
        self._length = self._synced = 0
        self._part = place.with_name(f"{place.name}.part")
        self._file: BinaryIO | None = None

    def __enter__(self) -> DiskPart:
        """Raises PartInUse, OSError."""
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._place.exists() and not self._part.exists():
            # Its writer died after the last step and before that was written down.
            self._place.rename(self._part)
        self._file = _private(self._part)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise PartInUse(f"{self._path} is being written by another process") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def expect(self, disk: DiskFile) -> int:
        file = self._opened
        same = self._earlier.length == disk.length
        held = min(self._earlier.safe, os.fstat(file.fileno()).st_size) if same else 0
        file.truncate(held)
        while self._length < held:
            chunk = file.read(min(_AT_ONCE, held - self._length))
            self._digest.update(chunk)
            self._length += len(chunk)
        self._synced = held
        self._progress(disk, held)
        self._disk = disk
        return held

    def write(self, chunk: bytes) -> None:
        self._opened.write(chunk)
        self._digest.update(chunk)
        self._length += len(chunk)
        if self._length - self._synced >= self._every:
            _to_disk(self._opened)
            self._synced = self._length
            self._progress(self._disk, self._length)

    def finish(self) -> Written:
        """Raises Spoiled, OSError."""
        _to_disk(self._opened)
        return _keep(self._part, self._place, self._path, self._length, self._digest.hexdigest())

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("not entered")
        return self._file


def sha256_of(place: Path) -> tuple[int, str]:
    """Length and digest of a file as it is read."""
    digest, length = hashlib.sha256(), 0
    with place.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            digest.update(chunk)
            length += len(chunk)
    return length, digest.hexdigest()


def _private(part: Path) -> BinaryIO:
    """For reading and writing, readable by its owner alone, at its beginning."""
    return os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _keep(part: Path, place: Path, path: str, length: int, sha256: str) -> Written:
    if sha256_of(part) != (length, sha256):
        raise Spoiled(f"{path} was not read back as it was written")
    part.rename(place)
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return Written(path, length, sha256)

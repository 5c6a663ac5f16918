"""A folder as an object store: a disk of its own, or a file server that is mounted.

Objects are plain files under their keys, so that a copy of the folder, by whatever means, is a copy of
the store. What is not an object begins with a dot: unfinished puts, and ends of retention.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup.objects.folder_walk import objects_below
from backup.objects.steady_clock import SteadyClock
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectFacts,
    ObjectLocked,
    ObjectStoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    check_key,
)
from control_plane.drivers.system_clock import SystemClock
from control_plane.drivers.world import Clock

_UNFINISHED = ".unfinished"
_LOCKS = ".retention"
_GUARD = ".guard"
_CLOCK = ".clock"
_GIVEN_UP = timedelta(days=1)
"""No put takes so long: what it left belongs to nobody any more."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EOPNOTSUPP}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}


class DirectoryStore:
    """An ObjectStore (control_plane/drivers/objects.py). `folder` must be there: making it would write
    under the mount point of a file server that is not mounted.

    Retention is kept by this class alone, not by the file system: who may write the folder by other
    means can delete everything. Only an S3 store with object lock holds against them."""

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = SteadyClock(self._read_clock, (clock or SystemClock()).monotonic)
        self._tidy = threading.Event()

    @property
    def name(self) -> str:
        return f"the folder {self._folder}"

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        path = self._path(key)
        with self._errors(f"{key} could not be written"):
            self._sweep_once()
            if locked_until is not None:
                self._refuse_if_past(locked_until, key)
            if only_new and path.exists():
                raise self._exists(key)
            unfinished = self._write_unfinished(data)
            try:
                if only_new and locked_until is None:
                    self._link(unfinished, path, key)
                else:
                    self._put_guarded(unfinished, path, key, only_new, locked_until)
            finally:
                unfinished.unlink(missing_ok=True)
            _sync(path.parent)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        with self._errors(f"{key} could not be read", key=key):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(file).st_size
                end = size if length is None else min(size, start + length)
                return b"".join(_pieces(file, start, end))
            finally:
                os.close(file)

    def stat(self, key: str) -> ObjectFacts:
        path = self._path(key)
        with self._errors(f"{key} could not be looked at", key=key):
            if path.is_dir():
                raise self._absent(key)
            found = path.stat()
            return ObjectFacts(key, found.st_size, _time(found), self._locked_until(path))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectFacts]:
        with self._errors("it could not be listed"):
            self._look()
            for key, found in objects_below(self._folder, prefix, after):
                yield ObjectFacts(key, found.st_size, _time(found))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._errors(f"{key} could not be deleted"):
            self._look()
            with self._guard():
                if not path.is_file():
                    return
                self._refuse_if_locked(path, key)
                path.unlink()
                self._lock_file(path).unlink(missing_ok=True)
            # Before anybody hears of it: what comes back after a crash would be relied upon.
            _sync(path.parent)
            self._remove_empty(path.parent)

    def lock(self, key: str, until: datetime) -> None:
        path = self._path(key)
        with self._errors(f"{key} could not be put under retention", key=key), self._guard():
            if not path.is_file():
                raise self._absent(key)
            held = self._locked_until(path)
            if held is None or held < until:
                self._refuse_if_past(until, key)
                self._extend(path, until)

    def now(self) -> datetime:
        """By the clock that stamps files: a file server's own where one is mounted, else this machine's."""
        with self._errors("its clock could not be read"):
            return self._clock.now()

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    def _write_unfinished(self, data: bytes) -> Path:
        folder = self._own(_UNFINISHED)
        path = folder / secrets.token_hex(16)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(file, rest) :]
                os.fsync(file)
            finally:
                # A file server may tell only now that it is full.
                os.close(file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _put_guarded(
        self, unfinished: Path, path: Path, key: str, only_new: bool, until: datetime | None
    ) -> None:
        with self._guard():
            if path.exists():
                if only_new:
                    raise self._exists(key)
                self._refuse_if_locked(path, key)
            # The retention lies there first: the object is never without it, even after a crash.
            if until is not None:
                self._extend(path, until)
            if only_new:
                self._link(unfinished, path, key)
            else:
                self._move(unfinished, path)

    def _link(self, unfinished: Path, path: Path, key: str) -> None:
        while True:
            self._make_folders(path.parent)
            try:
                os.link(unfinished, path)
            except FileExistsError:
                # Of a file server's lost answer, two links tell that this very file lies there.
                if unfinished.stat().st_nlink != 2:
                    raise self._exists(key) from None
            except FileNotFoundError:
                # Emptied and removed by a delete between the two steps.
                self._look()
                continue
            return

    def _move(self, unfinished: Path, path: Path) -> None:
        while True:
            self._make_folders(path.parent)
            try:
                unfinished.replace(path)
            except FileNotFoundError:
                self._look()
                continue
            return

    def _make_folders(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for made in reversed(missing):
            try:
                made.mkdir(mode=0o700, exist_ok=True)
            except FileNotFoundError:
                return
            _sync(made.parent)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._folder:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    # Retention

    def _lock_file(self, path: Path) -> Path:
        return self._folder / _LOCKS / path.relative_to(self._folder)

    def _locked_until(self, path: Path) -> datetime | None:
        try:
            text = self._lock_file(path).read_text()
        except FileNotFoundError:
            return None
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            # What cannot be read promises nothing, so that nothing may rest on its having ended.
            return datetime.max.replace(tzinfo=UTC)

    def _refuse_if_past(self, until: datetime, key: str) -> None:
        """As S3 does: whoever asks for it takes for kept what is not."""
        if until <= self.now():
            raise StoreRefused(
                f"{key} in {self.name} can't be put under retention until {until:%Y-%m-%d %H:%M:%S} UTC, which is past."
            )

    def _refuse_if_locked(self, path: Path, key: str) -> None:
        until = self._locked_until(path)
        if until is not None and until > self.now():
            raise ObjectLocked(
                f"{key} in {self.name} is under retention until {until:%Y-%m-%d %H:%M:%S} UTC."
            )

    def _extend(self, path: Path, until: datetime) -> None:
        held = self._locked_until(path)
        if held is not None and held >= until:
            return
        file = self._lock_file(path)
        unfinished = self._write_unfinished(until.astimezone(UTC).isoformat().encode())
        try:
            self._make_folders(file.parent)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
        _sync(file.parent)

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Whoever reads or changes a retention does so alone, among all processes that use the folder."""
        self._look()
        # A file, and open for writing: on file servers nothing else can be locked.
        file = os.open(self._folder / _GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    # Housekeeping

    def _read_clock(self) -> datetime:
        self._look()
        stamped = self._folder / _CLOCK
        stamped.touch(mode=0o600)
        return _time(stamped.stat())

    def _own(self, name: str) -> Path:
        self._look()
        folder = self._folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _look(self) -> None:
        if not self._folder.is_dir():
            raise StoreUnavailable(
                f"There is no folder {self._folder}: make it, or mount what belongs there."
            )

    def _sweep_once(self) -> None:
        """Remove what puts that were killed have left, some time after they were."""
        if self._tidy.is_set():
            return
        self._look()
        # While there is room for it: what is full must let itself be deleted from.
        (self._folder / _GUARD).touch(mode=0o600)
        oldest = (self.now() - _GIVEN_UP).timestamp()
        with os.scandir(self._own(_UNFINISHED)) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        Path(entry).unlink()
        self._tidy.set()

    # What is said

    @contextlib.contextmanager
    def _errors(self, what: str, *, key: str | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if key is not None and error.errno in _ABSENT:
                self._look()
                raise self._absent(key) from None
            raise self._translated(error, what) from error

    def _translated(self, error: OSError, what: str) -> ObjectStoreError:
        why = f"In {self.name}, {what}: {os.strerror(error.errno or errno.EIO)}."
        if error.errno in _FULL:
            return StoreFull(why)
        if error.errno in _REFUSED:
            return StoreRefused(why)
        return StoreUnavailable(why)

    def _exists(self, key: str) -> ObjectExists:
        return ObjectExists(f"{key} is in {self.name} already.")

    def _absent(self, key: str) -> NoSuchObject:
        return NoSuchObject(f"There is no {key} in {self.name}.")


def _pieces(file: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = os.pread(file, end - start, start)
        if not piece:
            return
        start += len(piece)
        yield piece


def _sync(folder: Path) -> None:
    """What was put into a folder or taken out of it is so even after the power fails."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _time(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, UTC)

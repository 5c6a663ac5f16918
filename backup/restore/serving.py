"""Gives a point's disk to hypervisors that already run servers from it, any part at any time, from whichever
repositories hold it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from backup.records.steps import StepRefused
from backup.repository import Damaged, DiskReader
from control_plane.drivers.backup_source import Extent
from control_plane.drivers.disk_exports import ServedDisk, Unreadable
from control_plane.drivers.objects import ObjectStoreError
from control_plane.model.backup.places import Repository
from control_plane.model.errors import YuiError
from control_plane.store import LeaseLost

_Told = TypeVar("_Told")
_ELSEWHERE = (ObjectStoreError, YuiError)


@dataclass(slots=True)
class Serving:
    """`readers`: of the same disk, those to be asked first before the others. What is damaged in one is taken from
    the next; `trouble` is why the last read came to nothing, until one comes to something again. `damaged` is what was
    found and nobody has been told of. `wait` comes back once what was read may have been."""

    readers: Sequence[tuple[Repository, Callable[[], DiskReader]]]
    lock: threading.Lock
    wait: Callable[[], None] = lambda: None
    trouble: Exception | None = None
    damaged: list[tuple[Repository, Damaged]] = field(default_factory=list)
    _open: dict[int, DiskReader] = field(default_factory=dict)

    def disk(self) -> ServedDisk:
        """Raises what reading raises where no repository can tell what the disk consists of."""
        with self.lock:
            size, extents = self._ask(
                lambda reader: (
                    reader.size,
                    tuple(Extent(each.offset, each.length, each.data) for each in reader.extents()),
                )
            )
        return ServedDisk(size, extents, self._read)

    def take_damaged(self) -> list[tuple[Repository, Damaged]]:
        with self.lock:
            found, self.damaged = self.damaged, []
        return found

    def _read(self, offset: int, length: int) -> bytes:
        with self.lock:
            try:
                data = self._ask(lambda reader: reader.read(offset, length))
            except _ELSEWHERE as error:
                self.trouble = error
                raise Unreadable from error
            self.trouble = None
        # What is not wanted any more ends elsewhere.
        with suppress(StepRefused, LeaseLost):
            self.wait()
        return data

    def _ask(self, what: Callable[[DiskReader], _Told]) -> _Told:
        failure: Exception | None = None
        for number, (repository, begin) in enumerate(self.readers):
            try:
                reader = self._open.get(number)
                if reader is None:
                    reader = self._open[number] = begin()
                return what(reader)
            except _ELSEWHERE as error:
                if isinstance(error, Damaged):
                    self.damaged.append((repository, error))
                # One that does not answer may do so later; what is damaged stays so.
                failure = error if failure is None or isinstance(failure, Damaged) else failure
        raise failure or LookupError("no repository holds the disk")

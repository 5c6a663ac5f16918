"""What the record is told of a restore while it goes on, and how the restore hears that it is not wanted any
more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from backup.keeper.operations import show_progress
from backup.keeper.timings import Timings
from backup.keeper.writing import written
from backup.records.restores import progress_restore
from backup.records.steps import StepRefused
from control_plane.drivers.world import Clock
from control_plane.model.backup.work import RestoreJob, RestorePhase, Restoring
from control_plane.model.units import Seconds
from control_plane.store import Lease, Store, Transaction


class GivenUp(Exception):
    """Another disk of the same restore could not be filled."""


@dataclass(slots=True)
class Progress:
    """Safe for several threads. `begun` is the job as it was begun by this worker."""

    store: Store
    clock: Clock
    timings: Timings
    lease: Lease
    begun: RestoreJob
    total: int = 0
    _behind: int = 0
    _positions: dict[object, int] = field(default_factory=dict)
    """Of disks that are being filled, how far each has come."""
    _given_up: bool = False
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _told_at: Seconds = field(init=False)
    _looked_at: Seconds = field(init=False)

    def __post_init__(self) -> None:
        self._looked_at = self.clock.monotonic()
        self._told_at = self.clock.monotonic()

    @property
    def attempt(self) -> int:
        standing = self.begun.standing
        return standing.attempts if isinstance(standing, Restoring) else 1

    def along(self, content: Iterator[tuple[int, bytes]], size: int) -> Iterator[tuple[int, bytes]]:
        """The same, told as it passes: where on a disk of `size` bytes it has come to. Raises StepRefused,
        LeaseLost where it is to go on no more."""
        disk = object()
        try:
            for offset, data in content:
                if self._given_up:
                    raise GivenUp
                self._positions[disk] = max(self._positions.get(disk, 0), offset + len(data))
                self._pulse()
                yield offset, data
            self._positions[disk] = size
            self._pulse()
        finally:
            self._positions.pop(disk, None)

    def give_up(self) -> None:
        """Every disk that is being filled."""
        self._given_up = True

    @property
    def phase(self) -> RestorePhase:
        """How far it had come when this worker began."""
        standing = self.begun.standing
        return standing.phase if isinstance(standing, Restoring) else RestorePhase.FILLING

    def show(self, done: int, total: int) -> None:
        """How many bytes the disks hold by now. Raises as `along`."""
        self._behind, self.total = done, total
        self._pulse()

    def behind(self, size: int) -> None:
        """A disk of that many bytes is done."""
        with self._mutex:
            self._behind += size
        self._pulse()

    def still_wanted(self) -> None:
        """While it waits for something else. Raises StepRefused, LeaseLost."""
        now = self.clock.monotonic()
        if now - self._looked_at >= self.timings.progress:
            self._looked_at = now
            self.write(lambda _: None)

    def write(self, write: Callable[[Transaction], object]) -> None:
        """Only while this job is still this worker's."""

        def mine(tx: Transaction) -> None:
            self.insist(tx)
            write(tx)

        written(self.store, self.lease, mine)

    def insist(self, tx: Transaction) -> None:
        standing, was = tx.restore(self.begun.id).standing, self.begun.standing
        if (
            not isinstance(standing, Restoring)
            or not isinstance(was, Restoring)
            or (standing.worker, standing.attempts) != (was.worker, was.attempts)
        ):
            raise StepRefused(f"restore {self.begun.id} is {standing}")

    def _pulse(self) -> None:
        now = self.clock.monotonic()
        if now - self._told_at < self.timings.progress:
            return
        self._told_at = now
        done = self._behind + sum(list(self._positions.values()))

        def show(tx: Transaction) -> None:
            progress_restore(tx, self.begun.id, done, self.total)
            show_progress(tx, self.begun.operation, done, self.total, self.clock.now())

        self.write(show)

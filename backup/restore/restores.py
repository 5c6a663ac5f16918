"""Carries out what was asked to be restored, the oldest first and few at once.

What broke off through no fault of its own is tried again, where it had come to; what can't be done is said
once, and what it had made goes again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from backup.keeper.errands import Ended, Errands
from backup.keeper.lines import Lines
from backup.keeper.timings import Timings
from backup.keeper.trouble import NotWanted
from backup.keeper.vaults import Vaults
from backup.records.agenda import restores_waiting
from backup.records.restores import fail_restore, restores_under_way
from backup.records.steps import StepRefused
from backup.repository import Damaged
from backup.restore import telling
from backup.restore.anew import unmake
from backup.restore.asking import PROVER
from backup.restore.restore import Restore
from backup.restore.trouble import setback_of_restore
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.work import (
    Restored,
    RestoreJob,
    RestorePhase,
    Restoring,
    Trouble,
    Waiting,
)
from control_plane.model.errors import YuiError
from control_plane.store import Lease, LeaseLost, Store, Transaction

_TAKEN_OVER = Trouble(
    "Whoever carried it out is gone; it goes on.",
    "実行していたコントロールプレーンが停止したため、引き継ぎます。",
)
_SOON = timedelta(seconds=15)
_ANSWERS_LATER = 500
"""Errors of this status and above say nothing of what was asked for."""


@dataclass(slots=True)
class Restores:
    """`exports` is the directory that files go to, which every control plane of the pool sees; None: there is
    none. `at_once` of all, and `leaning_at_once` of those that start servers before their disks are copied, which takes
    hours or days and must not keep others waiting. One at a time of each system, not counting one that only copies by
    now."""

    store: Store
    world: World
    vaults: Vaults
    holder: str
    timings: Timings
    lines: Lines
    exports: Path | None = None
    at_once: int = 4
    leaning_at_once: int = 8
    lane: Lane = Lane.RESTORE
    _errands: Errands[Restore, None] = field(init=False)
    _leaning: Errands[Restore, None] = field(init=False)
    _waiting: list[RestoreJob] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, self.lane)
        self._leaning = Errands(self.world, self.timings, Lane.LEAN)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands) + len(self._leaning))

    def settle(self, lease: Lease) -> list[Exception]:
        """What went wrong with those that have ended."""
        ended = self._errands.settle(lease) + self._leaning.settle(lease)
        for each in ended:
            self._settled(each, lease)
        return [each.error for each in ended if each.error is not None]

    def look(self, lease: Lease) -> None:
        """At what waits, and at what somebody else has left in the middle."""
        mine = {each.job.id for each in self._under_way()}
        with self.store.read() as tx:
            left = [job for job in restores_under_way(tx) if job.id not in mine]
        if left:
            with self.store.write(lease) as write:
                now = self.world.clock.now()
                for job in left:
                    fail_restore(write, job.id, now, _TAKEN_OVER, now)
        with self.store.read() as tx:
            waiting = restores_waiting(tx, self.world.clock.now())
        # Guests that stand still come first.
        self._waiting = sorted(waiting, key=lambda job: not _has_started(job))

    def begin(self, lease: Lease) -> int:
        begun = 0
        for job in list(self._waiting):
            errands, most = self._errands, self.at_once
            if job.target.at_once:
                errands, most = self._leaning, self.leaning_at_once
            if len(errands) >= most or self._in_the_way(job):
                continue
            self._waiting.remove(job)
            errand = Restore(
                self.store,
                self.world,
                self.vaults,
                self.timings,
                lease,
                self.holder,
                job,
                self.lines,
                self.exports,
            )
            errands.begin(job.id, errand, errand.carry_out, lease)
            begun += 1
        return begun

    def _under_way(self) -> list[Restore]:
        return self._errands.things() + self._leaning.things()

    def _in_the_way(self, job: RestoreJob) -> bool:
        return not _has_started(job) and any(
            other.job.system == job.system and not other.only_copies for other in self._under_way()
        )

    def _settled(self, ended: Ended[Restore, None], lease: Lease) -> None:
        if ended.error is None or isinstance(ended.error, LeaseLost):
            return
        with self.store.write(lease) as tx:
            job = tx.restore(ended.thing.job.id)
            if isinstance(ended.error, StepRefused):
                # It was taken back meanwhile, or somebody else is at it.
                if not job.open and not isinstance(job.standing, Restored):
                    unmake(tx, job)
                return
            if ended.thing.begun is not None and isinstance(job.standing, Restoring):
                self._set_back(tx, job, job.standing, ended.error)

    def _set_back(
        self, tx: Transaction, job: RestoreJob, standing: Restoring, error: Exception
    ) -> None:
        why, now = setback_of_restore(error), self.world.clock.now()
        if standing.phase is not RestorePhase.FILLING:
            # What its servers have written since they were started lies nowhere else.
            again = now + _SOON
            fail_restore(tx, job.id, now, why.member, again)
            tx.add_event(telling.set_back(job, why, again, now))
            return
        if _for_good(error) or standing.attempts >= self.timings.attempts:
            unmake(tx, job)
            failed = fail_restore(tx, job.id, now, why.member, None)
            if job.asked_by != PROVER:
                tx.add_event(telling.failed(failed, why, now))
            return
        again = now + timedelta(seconds=self.timings.pause_after(standing.attempts))
        fail_restore(tx, job.id, now, why.member, again)
        tx.add_event(telling.set_back(job, why, again, now))


def _has_started(job: RestoreJob) -> bool:
    """Its servers, before their disks are copied."""
    standing = job.standing
    return isinstance(standing, Waiting) and standing.phase is not RestorePhase.FILLING


def _for_good(error: Exception) -> bool:
    """Nothing would come of trying again."""
    if isinstance(error, NotWanted | Damaged):
        return True
    return isinstance(error, YuiError) and error.status < _ANSWERS_LATER

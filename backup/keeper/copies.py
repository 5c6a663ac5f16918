"""Makes copies of recovery points where policies want them: the earliest tiers and newest points first,
within what each line between regions has for backups.

A copy that broke off goes on where it was, since what was sent is found there. One whose source is
damaged is read from the next repository that holds the point.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from backup.keeper.collecting import Part
from backup.keeper.errands import Errands
from backup.keeper.keyrings import insist_on_no_destruction
from backup.keeper.lines import Lines
from backup.keeper.pace import Pace
from backup.keeper.timings import Timings
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.records.agenda import WantedCopy, copies_due
from backup.records.damage import found_damage
from backup.records.estate import Blueprints
from backup.records.runs import begin_copy, finish_copy, progress_copy
from backup.replication import LineStream, Replication
from backup.repository import Damaged
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Copying, Spoiled
from control_plane.model.units import Seconds
from control_plane.store import Lease, Store, Transaction


@dataclass(slots=True)
class Copies:
    """One at a time of each member into each repository: two would send the same packs twice."""

    store: Store
    world: World
    blueprints: Blueprints
    vaults: Vaults
    timings: Timings
    lines: Lines
    _errands: Errands[WantedCopy, int] = field(init=False)
    _waiting: list[WantedCopy] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.COPY)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def written(self) -> list[Part]:
        """What is being written to."""
        return [Part(each.target, each.point.tenant) for each in self._errands.things()]

    def settle(self) -> list[Exception]:
        failures = []
        for each in self._errands.settle():
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
        return failures

    def look(self) -> None:
        with self.store.read() as tx:
            due = copies_due(tx, self.blueprints, self.world.clock.now())
        # What lies there damaged is put right object by object.
        self._waiting = [each for each in due if not _is_spoiled(each)]

    def begin(self, lease: Lease) -> int:
        begun = 0
        for wanted in list(self._waiting):
            if len(self._errands) >= self.timings.copies_at_once:
                break
            name = f"{wanted.target.id}/{wanted.point.tenant}"
            if self._errands.may_begin(name):
                self._waiting.remove(wanted)
                self._errands.begin(name, wanted, partial(self._copy, wanted, lease))
                begun += 1
        return begun

    def _copy(self, wanted: WantedCopy, lease: Lease) -> int:
        """Bytes that were sent. Raises what stopped it; then it goes on later."""
        failure: Exception | None = None
        for source in wanted.sources:
            try:
                return self._copy_from(source, wanted, lease)
            except Damaged as error:
                # Nothing of it was sent. Another repository may have it whole.
                self._note_damage(source, wanted, error, lease)
                failure = error
        if failure is None:
            raise LookupError(wanted.point.id)
        raise failure

    def _copy_from(self, source: Repository, wanted: WantedCopy, lease: Lease) -> int:
        point, target = wanted.point, wanted.target
        insist_on_no_destruction(self.store, target, point.tenant)
        here = self.vaults.open(source, point.tenant)
        with here.vault as vault:
            there = self.vaults.open_copy(target, vault.keyring, lambda: self._nothing_in(target))
            with there.vault as copy, self._stream(source, wanted) as stream:
                job = _Job(self, wanted, lease, stream, there.objects.sent)
                lock = timedelta(days=target.lock_days)
                replication = Replication(
                    vault,
                    copy,
                    ask=job.ask,
                    locked_until=there.objects.now() + lock if lock else None,
                )
                job.begin(sum(replication.lacking(each.point) for each in point.servers))
                sent = sum(replication.copy(each.point).sent_bytes for each in point.servers)
                job.finish(sent)
        return sent

    def _nothing_in(self, target: Repository) -> bool:
        with self.store.read() as tx:
            points = tx.points_in(target.id)
        return not any(
            copy is not None and not isinstance(copy.standing, Copying)
            for copy in (point.copy_in(target.id) for point in points)
        )

    def _stream(self, source: Repository, wanted: WantedCopy) -> AbstractContextManager[LineStream]:
        return self.lines.stream(
            f"{wanted.target.id}/{wanted.point.id}",
            (source.region, wanted.target.region),
            member=wanted.point.tenant.text,
            tier=wanted.tier,
        )

    def _note_damage(
        self, source: Repository, wanted: WantedCopy, error: Damaged, lease: Lease
    ) -> None:
        point = wanted.point

        def write(tx: Transaction) -> None:
            found_damage(
                tx,
                source.id,
                point.tenant,
                self.world.clock.now(),
                key=error.object,
                what=error.what,
                points=[point.id],
            )

        written(self.store, lease, write)


def _is_spoiled(wanted: WantedCopy) -> bool:
    copy = wanted.point.copy_in(wanted.target.id)
    return copy is not None and isinstance(copy.standing, Spoiled)


@dataclass(slots=True)
class _Job:
    """What the record is told of one copy, and what holds it back."""

    copies: Copies
    wanted: WantedCopy
    lease: Lease
    stream: LineStream
    sent: Callable[[], int]
    _pace: Pace = field(init=False)
    _told_at: Seconds = field(init=False)

    def __post_init__(self) -> None:
        clock = self.copies.world.clock
        self._pace = Pace(clock, self.wanted.most_mbit_per_s, self.sent)
        self._told_at = clock.monotonic()

    def begin(self, total: int) -> None:
        now = self.copies.world.clock.now()
        point, target = self.wanted.point.id, self.wanted.target.id
        self._write(lambda tx: begin_copy(tx, point, target, now, total))

    def ask(self, amount: int) -> None:
        """Raises LeaseLost and StepRefused where it is to go on no more."""
        self._pace.keep(self._pulse)
        self.stream.ask(amount, self._pulse)
        self._pulse()

    def finish(self, sent: int) -> None:
        now = self.copies.world.clock.now()
        point, target = self.wanted.point.id, self.wanted.target.id
        self._write(lambda tx: finish_copy(tx, point, target, now, sent))

    def _pulse(self) -> None:
        now = self.copies.world.clock.monotonic()
        if now - self._told_at < self.copies.timings.progress:
            return
        self._told_at = now
        point, target = self.wanted.point.id, self.wanted.target.id
        self._write(lambda tx: progress_copy(tx, point, target, self.sent()))

    def _write(self, write: Callable[[Transaction], object]) -> None:
        written(self.copies.store, self.lease, write)

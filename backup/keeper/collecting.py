"""Takes away what was let go, and gives back its room: once a day for each member's part of a repository,
while nothing of it is being written.

Each part has a lease of its own beside the keeper's: a collector that was overtaken while it hung in a
call deletes nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from backup.keeper.errands import Errands
from backup.keeper.keyrings import NOTHING_THERE
from backup.keeper.sets import found_of_sets
from backup.keeper.timings import Timings
from backup.keeper.upkeeping import Upkeeping
from backup.keeper.vaults import Vaults
from backup.records.runs import copy_removed
from backup.repository import RecoveryPoint, Vault
from backup.repository.collector import Collected, Collector
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Abandoned, Held, Leaving, RecoveryPointRecord
from control_plane.model.backup.upkeep import UpkeepWork
from control_plane.model.backup.work import Trouble
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from control_plane.reconcile.leadership import Leadership
from control_plane.reconcile.timings import Timings as LeaseTimings
from control_plane.store import Lease, Store

_REMEMBERED = timedelta(days=14)
"""What was abandoned longer ago has been looked for often enough."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one member has in one repository."""

    repository: Repository
    tenant: MunicipalityCode

    @property
    def name(self) -> str:
        return f"{self.repository.id}/{self.tenant}"


@dataclass(slots=True)
class Collecting:
    store: Store
    world: World
    vaults: Vaults
    holder: str
    timings: Timings
    _errands: Errands[Part, Collected | None] = field(init=False)
    _upkeep: Upkeeping = field(init=False)
    _collected: dict[str, Seconds] = field(default_factory=dict)
    _parts: Sequence[Part] = ()
    _listed_at: Seconds = Seconds(float("-inf"))

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.BACKUP)
        self._upkeep = Upkeeping(self.store, self.world.clock, UpkeepWork.COLLECTING)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def settle(self, lease: Lease) -> list[Exception]:
        failures = []
        for each in self._errands.settle(lease):
            part, told = each.thing, each.result
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
                self._upkeep.failed(part.repository, part.tenant, each.error, lease)
            elif told is None:
                self._collected[each.name] = self.world.clock.monotonic()
                self._upkeep.nothing_there(part.repository, part.tenant, lease)
            elif told.stopped:
                # Somebody else was at it, or came to be: whether that ends well is not known.
                self._errands.leave_alone(each.name)
            else:
                self._collected[each.name] = self.world.clock.monotonic()
                self._note(part, told, lease)
        return failures

    def _note(self, part: Part, told: Collected, lease: Lease) -> None:
        if told.refused:
            why = Trouble(
                f"{told.refused} objects could not be kept under object lock any longer: {told.refusal}",
                f"オブジェクトロックを延長できないオブジェクトが {told.refused} 個あります({told.refusal})。",
            )
        elif told.lacking:
            first = told.lacking[0].object
            why = Trouble(
                f"{len(told.lacking)} objects that recovery points lead to can't be read, such as {first}: until they are healed nothing is cleared away.",
                f"復元ポイントに必要なオブジェクト {len(told.lacking)} 個が読み取れません({first} など)。修復されるまで、何も消去しません。",
            )
        else:
            self._upkeep.done(part.repository, part.tenant, lease, remember=True)
            return
        self._upkeep.lacks(part.repository, part.tenant, why, lease)

    def begin(self, lease: Lease, written: Iterable[Part]) -> int:
        """One at a time, of those whose turn it is; `written` are left alone."""
        if self.busy:
            return 0
        busy = {part.name for part in written}
        for part in self._all_parts(lease):
            if part.name not in busy and self._due(part.name):
                self._errands.begin(part.name, part, partial(self._collect, part, lease), lease)
                return 1
        return 0

    def _all_parts(self, lease: Lease) -> Sequence[Part]:
        """Whether or not anything is there. Looked up anew now and then."""
        now = self.world.clock.monotonic()
        if now - self._listed_at >= self.timings.tidy_every:
            self._listed_at = now
            with self.store.read() as tx:
                members = [tenant.code for tenant in tx.tenants()]
                self._parts = [
                    Part(repository, tenant)
                    for repository in tx.repositories()
                    for tenant in members
                    if repository.tenant in (None, tenant)
                ]
            self._upkeep.only({(one.repository.id, one.tenant) for one in self._parts}, lease)
        return self._parts

    def _due(self, name: str) -> bool:
        last = self._collected.get(name)
        now = self.world.clock.monotonic()
        soon = last is not None and now - last < self.timings.collect_every
        return not soon and self._errands.may_begin(name)

    def _collect(self, part: Part, lease: Lease) -> Collected | None:
        """None: nothing of the member's is there."""
        mine = Leadership(
            self.store,
            self.world.clock,
            self.holder,
            LeaseTimings(),
            name=f"backup-collector:{part.name}",
        )
        if mine.hold() is None:
            return Collected(stopped=True)
        try:
            opened = self.vaults.open(part.repository, part.tenant)
        except YuiError as error:
            if error.type in NOTHING_THERE and not self._is_known_to_hold_any(part):
                return None
            raise
        with opened.vault as vault:
            told = self._run(part, vault, lambda: mine.is_fresh or mine.hold() is not None, lease)
        mine.give_up()
        return told

    def _is_known_to_hold_any(self, part: Part) -> bool:
        with self.store.read() as tx:
            copies = [each.copy_in(part.repository.id) for each in tx.recovery_points(part.tenant)]
        return any(copy is not None and isinstance(copy.standing, Held) for copy in copies)

    def _run(
        self, part: Part, vault: Vault, still_mine: Callable[[], bool], lease: Lease
    ) -> Collected:
        with self.store.read() as tx:
            points = tx.recovery_points(part.tenant)
        leaving = [point for point in points if _is_leaving(point, part.repository)]
        wanted = {each.point: point.id for point in leaving for each in point.servers}
        lock = timedelta(days=part.repository.lock_days)

        def retention(point: RecoveryPoint) -> datetime | None:
            # What is on its way out is not held longer.
            return point.finished_at + lock if lock and point.id not in wanted else None

        collector = Collector(
            vault.objects, vault.index, still_mine=still_mine, retention=retention
        )
        told = collector.run([*wanted, *self._of_nothing(vault, points)])
        if told.stopped:
            return told
        held = {wanted[each] for each in told.kept if each in wanted}
        with self.store.write(lease) as write:
            for point in leaving:
                if point.id not in held:
                    copy_removed(write, point.id, part.repository.id, self.world.clock.now())
        log = structlog.get_logger("yui.backup")
        log.info(
            "collected",
            part=part.name,
            forgotten=len(told.forgotten),
            locked=len(told.kept) + told.locked,
            freed_bytes=told.freed_bytes,
            lacking=len(told.lacking),
        )
        return told

    def _of_nothing(self, vault: Vault, points: Iterable[RecoveryPointRecord]) -> list[str]:
        """Manifests of sets that were given up before they were whole."""
        since = self.world.clock.now() - _REMEMBERED
        sets: dict[RecoveryPointId, datetime] = {
            point.id: point.taken_at
            for point in points
            if isinstance(point.standing, Abandoned) and point.standing.since > since
        }
        found = found_of_sets(vault, sets)
        return [point.id for each in found.values() for point in each]


def _is_leaving(point: RecoveryPointRecord, repository: Repository) -> bool:
    copy = point.copy_in(repository.id)
    return copy is not None and isinstance(copy.standing, Leaving)

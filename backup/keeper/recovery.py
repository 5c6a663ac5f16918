"""Runs that a control plane left under way when it ended: what they had finished counts, and the rest is
cleared away before they are begun again.

A point whose manifests are all there is whole, whether or not anybody lived to write that down. Of one that
has fewer, none counts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from backup.keeper import telling
from backup.keeper.errands import Errands
from backup.keeper.keyrings import NOTHING_THERE
from backup.keeper.sets import forget_set, found_of_sets, whole_set
from backup.keeper.sources import may_be_read_on
from backup.keeper.timings import Timings
from backup.keeper.upkeeping import Upkeeping
from backup.keeper.vaults import Vaults
from backup.records.runs import fail_run, finish_run
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord, Taking
from control_plane.model.backup.upkeep import UpkeepWork
from control_plane.model.backup.work import BackupRun, Trouble
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Lease, Store

_LEFT = Trouble(
    "The control plane ended while it was under way, so it is begun again.",
    "実行中にコントロールプレーンが停止したため、やり直します。",
)


@dataclass(slots=True)
class Recovery:
    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    _errands: Errands[BackupRun, None] = field(init=False)
    _upkeep: Upkeeping = field(init=False)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.HOLD)
        self._upkeep = Upkeeping(self.store, self.world.clock, UpkeepWork.TAKING_UP)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def begin(self, left: Sequence[BackupRun], lease: Lease) -> int:
        """`left` are `Running`, and of nobody who lives and holds the lease."""
        self._upkeep.only({(r.id, t) for r, t in map(self._part, left) if r is not None}, lease)
        begun = 0
        for run in left:
            if self._errands.may_begin(run.id):
                self._errands.begin(run.id, run, partial(self._recover, run, lease), lease)
                begun += 1
        return begun

    def settle(self, lease: Lease) -> list[Exception]:
        """What went wrong with those that have ended."""
        failures = []
        for each in self._errands.settle(lease):
            repository, tenant = self._part(each.thing)
            if each.error is not None:
                # Until its repository can be read nobody knows what is there.
                self._errands.leave_alone(each.name)
                failures.append(each.error)
                if repository is not None:
                    self._upkeep.failed(repository, tenant, each.error, lease)
        return failures

    def _part(self, run: BackupRun) -> tuple[Repository | None, MunicipalityCode]:
        """None: nothing of it was begun anywhere."""
        with self.store.read() as tx:
            point = None if run.point is None else tx.recovery_point(run.point)
            copies = () if point is None else point.copies
            repositories = {each.id: each for each in tx.repositories()}
        found = next((each for c in copies if (each := repositories.get(c.repository))), None)
        return found, run.tenant

    def _recover(self, run: BackupRun, lease: Lease) -> None:
        self._let_go(run)
        with self.store.read() as tx:
            point = None if run.point is None else tx.recovery_point(run.point)
        begun = point is not None and isinstance(point.standing, Taking) and bool(point.copies)
        if point is None or not begun or not self._complete(run, point, lease):
            self._again(run, lease)

    def _let_go(self, run: BackupRun) -> None:
        """Nobody reads them any more, a server that is held is not started, and a group that was stopped serves nobody."""
        with self.store.read() as tx:
            found = list(may_be_read_on(tx, run.system))
            groups = tx.container_groups(system=run.system)
        for group in groups:
            # Where there is no platform nothing was stopped.
            with suppress(DriverError):
                self.world.container_volumes(group.region).end_reading(group.tenant, group.id)
        for server, host in found:
            try:
                self.world.driver(host).end_backup(server)
            except DriverError:
                # The next reading ends it as well.
                continue

    def _complete(self, run: BackupRun, point: RecoveryPointRecord, lease: Lease) -> bool:
        with self.store.read() as tx:
            repository = tx.repository(point.copies[0].repository)
            before = tx.recovery_points(system=run.system, live=True)
        try:
            opened = self.vaults.open(repository, point.tenant)
        except YuiError as error:
            if error.type in NOTHING_THERE:
                return False
            raise
        with opened.vault as vault:
            found = found_of_sets(vault, {point.id: point.taken_at})[point.id]
            servers = whole_set(vault, found)
            if not servers:
                forget_set(vault, [each.id for each in found])
                return False
        stored = sum(each.stored_bytes for each in found)
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            saved = finish_run(tx, tx.backup_run(run.id), at, servers, stored)
            last = next((p for p in reversed(before) if p.whole), None)
            for event in telling.of_point(saved, last, at, quiesce=False):
                tx.add_event(event)
        return True

    def _again(self, run: BackupRun, lease: Lease) -> None:
        now = self.world.clock.now()
        with self.store.write(lease) as tx:
            fail_run(tx, tx.backup_run(run.id), now, _LEFT, now + timedelta(seconds=1))

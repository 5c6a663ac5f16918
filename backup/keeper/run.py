"""One run, from the opening of the repository to the record: what is submitted to the World's lane.

Every note of it is made under the keeper's lease, so that one that was overtaken writes nothing more, and
what it leaves in a repository is known by the record of a point that was begun and not finished. Nothing
is on record before the repository has answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from backup.keeper import telling
from backup.keeper.bases import bases_of
from backup.keeper.group_parts import insist_on_something
from backup.keeper.keyrings import open_to_write
from backup.keeper.operations import show_progress
from backup.keeper.sources import Readable, still_the_same
from backup.keeper.taking import Taken, Taking
from backup.keeper.timings import Timings
from backup.keeper.trouble import NotWanted
from backup.keeper.vaults import OpenVault, Vaults
from backup.keeper.writing import written
from backup.records.agenda import WantedRun
from backup.records.runs import begin_run, finish_run, progress_run
from backup.repository.pack import pack_in
from control_plane.drivers.world import World
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.points import Taking as BeingTaken
from control_plane.model.backup.work import BackupRun, Trouble
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from control_plane.store import Lease, Store, Transaction

OVERTAKEN = Trouble(
    "Another control plane has taken it over.",
    "別のコントロールプレーンが引き継ぎました。",
)
_IN_THE_WAY = Trouble(
    "One of its servers is started, moved or changed, which comes first.",
    "サーバーの起動・移動・変更が優先されるため、中断しました。",
)


@dataclass(slots=True)
class Run:
    """`with_base` False: no earlier point is to be relied on, all is read. `begun` is the run on record
    once there is one."""

    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    lease: Lease
    worker: str
    wanted: WantedRun
    readable: Readable
    with_base: bool = True
    begun: BackupRun | None = None
    _looked_at: Seconds = field(init=False)

    def __post_init__(self) -> None:
        self._looked_at = self.world.clock.monotonic()

    def carry_out(self) -> RecoveryPointRecord:
        """Raises NotWanted, StepRefused, DriverError, ObjectStoreError, YuiError, LeaseLost."""
        system = self.wanted.backup.system
        if not self.readable.servers:
            insist_on_something(self.world, system, self.readable.groups)
        opened = open_to_write(self.vaults, self.store, self.wanted.home, system.tenant)
        with opened.vault:
            with self.store.read() as tx:
                points = tx.recovery_points(system=system.id, live=True)
            point = self._begin()
            taken = self._taking(opened, points).take(point.id, point.taken_at)
            return self._finish(taken, next((p for p in reversed(points) if p.whole), None))

    def _taking(self, opened: OpenVault, points: tuple[RecoveryPointRecord, ...]) -> Taking:
        backup, home = self.wanted.backup, self.wanted.home
        servers = {each.server.id for each in self.readable.servers}
        servers |= {ServerId(each.id) for each in self.readable.groups}
        leaves_region = home.region != backup.system.region
        lock = timedelta(days=home.lock_days)
        return Taking(
            self.world,
            opened,
            backup.system,
            self.readable,
            bases_of(points, home.id, servers) if self.with_base else {},
            quiesce=backup.policy.quiesce,
            dumps=backup.policy.dumps,
            # Only what leaves the region goes over a link.
            most_mbit_per_s=backup.policy.most_mbit_per_s if leaves_region else None,
            locked_until=opened.objects.now() + lock if lock else None,
            distrusted=self._distrusted(),
            pulse=self._pulse,
        )

    def _distrusted(self) -> frozenset[bytes]:
        """Packs that are damaged and not healed."""
        tenant = self.wanted.backup.system.tenant
        with self.store.read() as tx:
            findings = tx.scrub_findings(tenant, repository=self.wanted.home.id, open_only=True)
        packs = (pack_in(each.key, tenant.text) for each in findings)
        return frozenset(each for each in packs if each is not None)

    def _begin(self) -> RecoveryPointRecord:
        begun: list[RecoveryPointRecord] = []

        def write(tx: Transaction) -> None:
            system = self.wanted.backup.system
            # Whatever has been asked for by now is what this is.
            asked = tx.backup_runs(system=system.id, open_only=True)
            wanted = replace(self.wanted, run=asked[0] if asked else None)
            self.begun, point = begin_run(tx, wanted, self.world.clock.now(), self.worker)
            begun.append(point)

        self._write(write)
        return begun[-1]

    def _finish(self, taken: Taken, before: RecoveryPointRecord | None) -> RecoveryPointRecord:
        done: list[RecoveryPointRecord] = []

        def write(tx: Transaction) -> None:
            at = self.world.clock.now()
            point = finish_run(tx, self._mine(tx), at, taken.servers, taken.stored_bytes)
            done.append(point)
            quiesce = self.wanted.backup.policy.quiesce
            for event in telling.of_point(point, before, at, quiesce=quiesce):
                tx.add_event(event)

        self._write(write)
        return done[-1]

    def _mine(self, tx: Transaction) -> BackupRun:
        """Raises NotWanted where it is not this errand's any more."""
        if self.begun is None:
            raise NotWanted(OVERTAKEN)
        run = tx.backup_run(self.begun.id)
        if run.standing != self.begun.standing:
            raise NotWanted(OVERTAKEN)
        return run

    def _write(self, write: Callable[[Transaction], None]) -> None:
        written(self.store, self.lease, write)

    def _pulse(self, done: int, total: int) -> None:
        """Now and then, and right before the manifests: is it still wanted?"""
        now = self.world.clock.monotonic()
        if now - self._looked_at < self.timings.progress and done < total:
            return
        self._looked_at = now
        with self.store.read() as tx:
            held = tx.lease(self.lease.name)
            servers = tx.servers_among([each.server.id for each in self.readable.servers])
        if held is None or held.token != self.lease.token:
            raise NotWanted(OVERTAKEN)
        for each in self.readable.servers:
            if not still_the_same(each.server, servers.get(each.server.id)):
                raise NotWanted(_IN_THE_WAY)
        self._write(lambda tx: self._show(tx, done, total))

    def _show(self, tx: Transaction, done: int, total: int) -> None:
        run = self._mine(tx)
        if run.point is None or not isinstance(tx.recovery_point(run.point).standing, BeingTaken):
            raise NotWanted(OVERTAKEN)
        progress_run(tx, run.point, done, total)
        show_progress(tx, run.operation, done, total, self.world.clock.now())

"""Proves that points can be restored, before anybody needs it: the newest of each system is made again on no
network, started and looked at; how long that took is written down, and all of it goes again.

A proof is a restore like any other, asked for by `PROVER`. What is on record of it is all that there is to
know: whoever takes over goes on with it, and takes away what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from backup.keeper.errands import Errands
from backup.keeper.timings import Timings
from backup.records.agenda import WantedTest, tests_due
from backup.records.estate import Blueprints
from backup.records.restores import record_test
from backup.restore.anew import unmake
from backup.restore.asking import PROVER
from backup.restore.health import ConsoleSays, HealthCheck, Looks
from backup.restore.reading import holders
from control_plane.admission import NewServer, admit
from control_plane.drivers.world import Lane, World
from control_plane.journal.operations import draw
from control_plane.model.backup.ids import RestoreId, RestoreTestId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import (
    Failed,
    Restored,
    RestoreJob,
    RestoreTarget,
    RestoreTest,
    RestoreTo,
    Trouble,
    Waiting,
)
from control_plane.model.errors import YuiError
from control_plane.model.health import UNTESTED, Finding, HealthSeen, HttpCheck
from control_plane.model.ids import ServerId, SystemId
from control_plane.model.units import Seconds
from control_plane.model.workload import Power, Server
from control_plane.store import Lease, Snapshot, Store, Transaction

_LEFT_OUT = Finding(
    "restore tests leave container groups out", "復元の確認はコンテナーグループを対象としません"
)


@dataclass(frozen=True, slots=True)
class Looked:
    """At the servers of one proof."""

    servers: tuple[HealthSeen, ...]

    @property
    def unwell(self) -> tuple[HealthSeen, ...]:
        return tuple(each for each in self.servers if each.finding is not None)


@dataclass(slots=True)
class Proving:
    """`at_once` of them. One whose servers are not well within `patience` of their start has failed."""

    store: Store
    world: World
    blueprints: Blueprints
    timings: Timings
    check: HealthCheck = field(default_factory=ConsoleSays)
    at_once: int = 1
    patience: Seconds = Seconds(900)
    lane: Lane = Lane.RESTORE
    _errands: Errands[RestoreJob, Looked] = field(init=False)
    _unjudged: set[RestoreId] = field(default_factory=set)
    _well: dict[tuple[RestoreId, ServerId], HealthSeen] = field(default_factory=dict)
    """Those that were well at one look, and are not looked at again."""
    _read_under: int | None = None
    _sought_at: Seconds = Seconds(float("-inf"))

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, self.lane)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def settle(self, lease: Lease) -> list[Exception]:
        failures = []
        for each in self._errands.settle(lease):
            if each.error is not None:
                failures.append(each.error)
            elif each.result is not None:
                self._looked(each.thing, each.result, lease)
        return failures

    def look(self, lease: Lease) -> None:
        """At proofs under way, and then for others that are due, where there is room that no promise needs."""
        open_ones = self._open(lease)
        for job in open_ones:
            match job.standing:
                case Restored() if self._errands.may_begin(job.id):
                    self._errands.begin(job.id, job, partial(self._look_at, job), lease)
                case Failed(trouble=trouble):
                    self._end(job, trouble, lease)
                case _:
                    pass
        begun, now = len(open_ones), self.world.clock.monotonic()
        if begun >= self.at_once or now - self._sought_at < self.timings.tidy_every:
            return
        self._sought_at = now
        systems = {job.system for job in open_ones}
        with self.store.read() as tx:
            due = tests_due(tx, self.blueprints, self.world.clock.now())
        for wanted in due:
            if begun >= self.at_once:
                break
            if wanted.backup.system.id not in systems and self._has_room(wanted):
                self._ask(wanted, lease)
                begun += 1

    def _open(self, lease: Lease) -> list[RestoreJob]:
        """Those without a verdict. All that were ever asked for are read once under a lease, and again after
        this one has asked: nobody else does while it is held."""
        with self.store.read() as tx:
            if lease.token != self._read_under:
                judged = {test.id for test in tx.restore_tests()}
                asked = [job for job in tx.restores() if job.asked_by == PROVER]
                self._unjudged = {job.id for job in asked if _test_id(job) not in judged}
                self._read_under = lease.token
            found = [tx.restore(id) for id in sorted(self._unjudged)]
        still = [job for job in found if job.open or isinstance(job.standing, Restored | Failed)]
        self._unjudged = {job.id for job in still}
        return still

    def _has_room(self, wanted: WantedTest) -> bool:
        """With a refuge for each, as if it were to stay: then none of what is promised to others is needed."""
        number = draw(8)

        def prepare(_: Transaction) -> Sequence[NewServer]:
            return [_like(server, f"{server.id[:40]}-{number}") for server in wanted.backup.servers]

        def finish(tx: Transaction, servers: Sequence[Server]) -> None:
            """Nothing is kept."""

        try:
            admit(self.store, wanted.backup.system.region, prepare, finish, dry_run=True)
        except YuiError:
            return False
        return True

    def _ask(self, wanted: WantedTest, lease: Lease) -> None:
        now = self.world.clock.now()
        system = wanted.backup.system
        self._read_under = None
        with self.store.write(lease) as tx:
            tx.add_restore(
                RestoreJob(
                    RestoreId(f"rs-{draw(12)}"),
                    system.tenant,
                    wanted.point.id,
                    system.id,
                    RestoreTarget(RestoreTo.ISOLATED, name=f"{wanted.backup.name}-test"),
                    PROVER,
                    now,
                    Waiting(now),
                )
            )

    def _look_at(self, job: RestoreJob) -> Looked:
        with self.store.read() as tx:
            servers = () if job.made is None else tx.servers(system=job.made)
            looks = self._looks(tx, job)
        return Looked(
            tuple(
                self._seen(job, server, looks)
                for server in servers
                if server.power is Power.RUNNING
            )
        )

    def _looks(self, tx: Snapshot, job: RestoreJob) -> Looks:
        hosts = {host.id: host for host in tx.hosts()}
        checks: dict[str, HttpCheck] = {}
        if job.made is not None:
            made = tx.system(job.made)
            # A catalogue that has lost a version tells of no checks, and the console is left.
            with suppress(YuiError):
                blueprint = self.blueprints.blueprint(made.blueprint, made.blueprint_version)
                checks = {each.role: each.health for each in blueprint.servers if each.health}
        had: dict[str, list[str]] = {}
        for server in tx.servers(system=job.system):
            had.setdefault(server.role, []).append(server.address)
        return Looks(self.world, hosts, self.check, checks, had)

    def _seen(self, job: RestoreJob, server: Server, looks: Looks) -> HealthSeen:
        known = self._well.get((job.id, server.id))
        if known is not None:
            return known
        look = looks.at(server)
        if look.finding is not None:
            return HealthSeen(server.name, look.by, None, look.finding)
        since = (self.world.clock.now() - job.standing.since).total_seconds()
        well = HealthSeen(server.name, look.by, round(since, 1))
        self._well[job.id, server.id] = well
        return well

    def _looked(self, job: RestoreJob, found: Looked, lease: Lease) -> None:
        if not found.unwell:
            self._end(job, None, lease, found.servers)
            return
        waited = self.world.clock.now() - job.standing.since
        if waited > timedelta(seconds=self.patience):
            self._end(job, self._trouble(found), lease, found.servers)

    def _trouble(self, found: Looked) -> Trouble:
        minutes = round(self.patience / 60)
        seen = [(each.server, each.finding) for each in found.unwell if each.finding is not None]
        en = "; ".join(f"{name}: {finding.en}" for name, finding in seen)
        ja = "、".join(f"{name}: {finding.ja}" for name, finding in seen)
        return Trouble(
            f"After {minutes} min not all was well: {en}.",
            f"{minutes} 分たっても正常になりませんでした({ja})。",
        )

    def _end(
        self,
        job: RestoreJob,
        trouble: Trouble | None,
        lease: Lease,
        servers: tuple[HealthSeen, ...] = (),
    ) -> None:
        """The verdict, and away with what was made for it, in one transaction."""
        with self.store.write(lease) as tx:
            current = tx.restore(job.id)
            point = tx.recovery_point(job.point)
            there = [each.id for each in holders(tx, point, point.region)]
            unmake(tx, current)
            record_test(
                tx,
                RestoreTest(
                    _test_id(job),
                    job.tenant,
                    job.system,
                    job.point,
                    # It may have expired meanwhile.
                    (there or [each.repository for each in point.copies])[0],
                    job.asked_at,
                    self.world.clock.now(),
                    trouble,
                    servers + _untested(point),
                ),
            )
        self._unjudged.discard(job.id)
        self._well = {known: seen for known, seen in self._well.items() if known[0] != job.id}


def _test_id(job: RestoreJob) -> RestoreTestId:
    """One verdict of each."""
    return RestoreTestId(f"rt-{job.id.removeprefix('rs-')}")


def _untested(point: RecoveryPointRecord) -> tuple[HealthSeen, ...]:
    return tuple(
        HealthSeen(part.name, UNTESTED, None, _LEFT_OUT)
        for part in point.servers
        if part.container_group
    )


def _like(server: Server, id: str) -> NewServer:
    return NewServer(
        ServerId(id),
        SystemId(server.system),
        server.name,
        server.role,
        server.flavor,
        server.image,
        traits=server.traits,
        sites=server.sites,
        isolated=True,
    )

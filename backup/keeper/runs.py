"""Begins the runs that are due, as far as hosts and sites are free for them, and settles what has ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from backup.keeper import telling
from backup.keeper.collecting import Part
from backup.keeper.errands import Ended, Errands
from backup.keeper.keyrings import destruction_under_way
from backup.keeper.load import Load
from backup.keeper.outages import Outages
from backup.keeper.recovery import Recovery
from backup.keeper.run import OVERTAKEN, Run
from backup.keeper.sources import readable
from backup.keeper.taking import BaseDoubted
from backup.keeper.telling import Backed
from backup.keeper.timings import Timings
from backup.keeper.trouble import NotWanted, Setback, setback_of
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.records.agenda import WantedRun, next_runs
from backup.records.damage import found_damage
from backup.records.estate import Blueprints
from backup.records.runs import fail_run, runs_under_way
from backup.records.steps import StepRefused
from backup.repository import Damaged
from control_plane.drivers.objects import ObjectStoreError
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import Requested, Running, Trouble
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from control_plane.store import Lease, LeaseLost, Store, Transaction

_LOOKED_AT = 200
"""Waiting runs at a time, the most urgent first."""
_FULL = Seconds(10)
"""How long a run waits whose hosts or site have enough to do."""


@dataclass(slots=True)
class Runs:
    store: Store
    world: World
    blueprints: Blueprints
    vaults: Vaults
    holder: str
    timings: Timings
    _errands: Errands[Run, RecoveryPointRecord] = field(init=False)
    _recovery: Recovery = field(init=False)
    _waiting: list[WantedRun] = field(default_factory=list)
    _not_before: dict[SystemId, Seconds] = field(default_factory=dict)
    _without_base: set[SystemId] = field(default_factory=set)
    _known: set[MunicipalityCode] = field(default_factory=set)
    """Members that have been backed up before."""
    _told: dict[SystemId, str] = field(default_factory=dict)
    _outages: Outages = field(init=False)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.BACKUP)
        self._outages = Outages(self.timings)
        self._recovery = Recovery(self.store, self.world, self.vaults, self.timings)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands) or self._recovery.busy)

    def written(self) -> list[Part]:
        """What is being written to."""
        runs = self._errands.things()
        return [Part(run.wanted.home, run.wanted.backup.system.tenant) for run in runs]

    def settle(self, lease: Lease) -> list[Exception]:
        """What went wrong with those that have ended."""
        ended = self._errands.settle(lease)
        for each in ended:
            self._settled(each, lease)
        failures = [each.error for each in ended if each.error is not None]
        return failures + self._recovery.settle(lease)

    def look(self, lease: Lease) -> None:
        """At everything anew: runs that nobody carries on, and what is due."""
        with self.store.read() as tx:
            under_way = runs_under_way(tx)
            self._waiting = list(next_runs(tx, self.blueprints, self.world.clock.now()))
        mine = {each.begun.id for each in self._errands.things() if each.begun is not None}
        self._recovery.begin([run for run in under_way if run.id not in mine], lease)

    def begin(self, lease: Lease) -> int:
        """As many of those that wait as may run beside those under way."""
        load = Load(self.timings)
        for each in self._errands.things():
            load.add(each.readable)
        begun = 0
        now = self.world.clock.monotonic()
        for wanted in self._waiting[:_LOOKED_AT]:
            system = wanted.backup.system.id
            if load.runs >= self.timings.runs_at_once:
                break
            if self._not_before.get(system, now) > now or not self._errands.may_begin(system):
                continue
            if not self._outages.may_try(wanted.home.id, now):
                continue
            if self._makes_a_keyring(wanted.backup.system.tenant):
                continue
            with self.store.read() as tx:
                found = readable(tx, system)
                tenant = wanted.backup.system.tenant
                waits = destruction_under_way(tx, wanted.home.id, tenant) or found.waits
            if waits is not None:
                self._not_before[system] = Seconds(now + self.timings.every)
                self._wait(wanted, waits, lease)
            elif not load.fits(found):
                # Others end sooner or later; until then there is nothing to look at.
                self._not_before[system] = Seconds(now + _FULL)
            else:
                self._waiting.remove(wanted)
                errand = Run(
                    self.store,
                    self.world,
                    self.vaults,
                    self.timings,
                    lease,
                    self.holder,
                    wanted,
                    found,
                    with_base=system not in self._without_base,
                )
                self._outages.trying(wanted.home.id, now)
                self._errands.begin(system, errand, errand.carry_out, lease)
                load.add(found)
                begun += 1
        return begun

    def _makes_a_keyring(self, tenant: MunicipalityCode) -> bool:
        """Whether a run is under way that may be a member's first, which makes the one keyring that it is to
        have everywhere: two would make two."""
        if tenant in self._known or not any(part.tenant == tenant for part in self.written()):
            return False
        with self.store.read() as tx:
            if any(point.whole for point in tx.recovery_points(tenant, live=True)):
                self._known.add(tenant)
        return tenant not in self._known

    def _wait(self, wanted: WantedRun, why: Trouble, lease: Lease) -> None:
        """For a server, such as one that is moving; a run on record says so."""
        if wanted.run is None:
            return
        with self.store.write(lease) as tx:
            run = tx.backup_run(wanted.run.id)
            if isinstance(run.standing, Requested) and run.standing.trouble != why:
                tx.save_backup_run(replace(run, standing=replace(run.standing, trouble=why)))

    def _settled(self, ended: Ended[Run, RecoveryPointRecord], lease: Lease) -> None:
        system = ended.thing.wanted.backup.system.id
        if ended.error is None:
            self._without_base.discard(system)
            self._told.pop(system, None)
            home = ended.thing.wanted.home
            if self._outages.answered(home.id):
                with self.store.write(lease) as tx:
                    tx.add_event(telling.answers_again(home, self.world.clock.now()))
            return
        overtaken = isinstance(ended.error, NotWanted) and ended.error.why is OVERTAKEN
        if overtaken or isinstance(ended.error, LeaseLost | StepRefused):
            return
        if isinstance(ended.error, Damaged):
            self._note_damage(ended.thing, ended.error, lease)
        if isinstance(ended.error, Damaged | BaseDoubted):
            # Whatever is wrong with the point that it went on from, another can do without.
            self._without_base.add(system)
        pause = self._errands.leave_alone(ended.name)
        with self.store.write(lease) as tx:
            self._set_back(tx, ended.thing, ended.error, pause)

    def _note_damage(self, errand: Run, damage: Damaged, lease: Lease) -> None:
        """As if it had been found by reading the repository again: it is healed, where that can be."""
        backup, home = errand.wanted.backup, errand.wanted.home

        def note(tx: Transaction) -> None:
            points = [
                point.id
                for point in tx.recovery_points(system=backup.system.id, live=True)
                if any(each.point in damage.points for each in point.servers)
            ]
            found_damage(
                tx,
                home.id,
                backup.system.tenant,
                self.world.clock.now(),
                key=damage.object,
                what=damage.what,
                points=points,
            )

        written(self.store, lease, note)

    def _set_back(self, tx: Transaction, errand: Run, error: Exception, pause: Seconds) -> None:
        why = setback_of(error)
        now = self.world.clock.now()
        again = now + timedelta(seconds=pause)
        of_record = errand.begun or errand.wanted.run
        run = None if of_record is None else tx.backup_run(of_record.id)
        match None if run is None else run.standing:
            case Running(worker=worker, attempts=attempts) if run and worker == self.holder:
                if run.asked_by is not None and attempts >= self.timings.attempts:
                    fail_run(tx, run, now, why.member, None)
                    tx.add_event(telling.given_up(Backed.by(errand.wanted.backup), why, now))
                    return
                fail_run(tx, run, now, why.member, again)
            case Requested() as waits if run:
                # The repository did not answer, so that nothing was begun.
                standing = replace(waits, since=again, trouble=why.member)
                tx.save_backup_run(replace(run, standing=standing))
            case None:
                pass
            case _:
                return
        if isinstance(error, ObjectStoreError):
            home = errand.wanted.home
            if self._outages.failed(home.id, self.world.clock.monotonic()):
                tx.add_event(telling.does_not_answer(home, why, now))
        elif not isinstance(error, NotWanted):
            self._tell(tx, errand, why, again)

    def _tell(self, tx: Transaction, errand: Run, why: Setback, again: datetime) -> None:
        """The same once, until it has gone well."""
        backup, at = errand.wanted.backup, self.world.clock.now()
        if self._told.get(backup.system.id) != why.full.en:
            self._told[backup.system.id] = why.full.en
            tx.add_event(telling.set_back(Backed.by(backup), why, again, at))

"""Keeps a record of work that nobody asks for and nobody waits for, and tells people when it is not done: else
nobody would know before it is too late."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from backup.keeper.trouble import NotWanted, setback_of
from backup.keeper.upkeep_telling import held_up, no_longer_held_up
from backup.keeper.writing import written
from backup.records.steps import StepRefused
from control_plane.drivers.objects import StoreUnavailable
from control_plane.drivers.world import Clock
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.model.backup.work import Trouble
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Lease, LeaseLost, LostRace, Snapshot, Store, Transaction

_COMES_BACK = timedelta(hours=1)
"""What does not answer mostly does again soon; runs that are due tell of it at once."""


@dataclass(frozen=True, slots=True)
class Upkeeping:
    """Of one kind of work. Each repository's trouble with it is told once, whomever it concerns."""

    store: Store
    clock: Clock
    work: UpkeepWork

    def failed(
        self, repository: Repository, tenant: MunicipalityCode, error: Exception, lease: Lease
    ) -> None:
        """What only says that somebody else is at it, or that it is not wanted, is no trouble."""
        if isinstance(error, NotWanted | StepRefused | LeaseLost | LostRace):
            return
        patience = _COMES_BACK if isinstance(error, StoreUnavailable) else timedelta(0)
        self.lacks(repository, tenant, setback_of(error).full, lease, patience)

    def lacks(
        self,
        repository: Repository,
        tenant: MunicipalityCode,
        why: Trouble,
        lease: Lease,
        patience: timedelta = timedelta(0),
    ) -> None:
        """It was not done wholly; that is told where it has been so for `patience`."""

        def write(tx: Transaction) -> None:
            now = self.clock.now()
            failed = self._of(tx, repository.id, tenant).failed(now, why)
            if not failed.told and now - (failed.failing_since or now) >= patience:
                if not self._told(tx, repository.id):
                    tx.add_event(held_up(self.work, repository, tenant, why, now))
                failed = replace(failed, told=True)
            tx.put_upkeep(failed)

        written(self.store, lease, write)

    def done(
        self,
        repository: Repository,
        tenant: MunicipalityCode,
        lease: Lease,
        *,
        remember: bool = False,
    ) -> None:
        """`remember` when; else nothing is written where nothing was wrong."""
        with self.store.read() as snapshot:
            failing = self._of(snapshot, repository.id, tenant).failing_since is not None
        if not failing and not remember:
            return

        def write(tx: Transaction) -> None:
            before = self._of(tx, repository.id, tenant)
            tx.put_upkeep(before.done(self.clock.now()))
            self._tell_of_the_end(tx, repository, before)

        written(self.store, lease, write)

    def nothing_there(self, repository: Repository, tenant: MunicipalityCode, lease: Lease) -> None:
        with self.store.read() as snapshot:
            if self._of(snapshot, repository.id, tenant) not in snapshot.upkeep():
                return

        def write(tx: Transaction) -> None:
            before = self._of(tx, repository.id, tenant)
            tx.remove_upkeep(before)
            self._tell_of_the_end(tx, repository, before)

        written(self.store, lease, write)

    def only(self, wanted: Collection[tuple[RepositoryId, MunicipalityCode]], lease: Lease) -> None:
        """What is not done of anything else is not wanted any more."""
        with self.store.read() as snapshot:
            over = [
                each
                for each in snapshot.upkeep()
                if each.work is self.work
                and each.failing_since is not None
                and (each.repository, each.tenant) not in wanted
            ]
        if not over:
            return

        def write(tx: Transaction) -> None:
            repositories = {each.id: each for each in tx.repositories()}
            for each in over:
                tx.remove_upkeep(each)
                if each.repository in repositories:
                    self._tell_of_the_end(tx, repositories[each.repository], each)

        written(self.store, lease, write)

    def _tell_of_the_end(self, tx: Transaction, repository: Repository, before: Upkeep) -> None:
        if before.told and not self._told(tx, repository.id):
            tx.add_event(no_longer_held_up(self.work, repository, self.clock.now()))

    def _told(self, tx: Snapshot, repository: RepositoryId) -> bool:
        return any(
            each.told and (each.repository, each.work) == (repository, self.work)
            for each in tx.upkeep()
        )

    def _of(self, tx: Snapshot, repository: RepositoryId, tenant: MunicipalityCode) -> Upkeep:
        known = (
            each
            for each in tx.upkeep()
            if (each.repository, each.tenant, each.work) == (repository, tenant, self.work)
        )
        return next(known, Upkeep(repository, tenant, self.work))

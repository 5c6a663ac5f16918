"""Puts right what was found damaged, from another repository that has it whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from backup.keeper.collecting import Part
from backup.keeper.doors import Doors, is_keyring
from backup.keeper.trouble import EXPECTED
from backup.keeper.upkeeping import Upkeeping
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.records.damage import healed_damage, lost_for_now
from backup.repository.heal import Healing, HealOutcome, heal, heal_index
from backup.repository.keyrings import REPOSITORY_OBJECT
from backup.repository.scrub import damage_of, is_missed_by_nobody
from control_plane.drivers.objects import ObjectStore, ObjectStoreError, StoreUnavailable
from control_plane.drivers.world import World
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.scrubbing import ScrubFinding
from control_plane.model.backup.upkeep import UpkeepWork
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Lease, LeaseLost, Store


@dataclass(slots=True)
class Healer:
    store: Store
    world: World
    vaults: Vaults
    doors: Doors
    upkeep: Upkeeping = field(init=False)

    def __post_init__(self) -> None:
        self.upkeep = Upkeeping(self.store, self.world.clock, UpkeepWork.HEALING)

    def heal_all(self, findings: Iterable[ScrubFinding], lease: Lease) -> int:
        """One that can't be seen to just now doesn't keep the others waiting. Raises what nobody could
        expect, else what came first."""
        findings = tuple(findings)
        away: set[RepositoryId] = set()
        failed: list[Exception] = []
        troubles: dict[Part, Exception | None] = {}
        for finding in findings:
            if finding.repository in away:
                continue
            part: Part | None = None
            try:
                repository = self._repository(finding.repository)
                part = Part(repository, finding.tenant)
                troubles.setdefault(part, None)
                self.heal(finding, self.world.objects(repository.place), repository, lease)
            except LeaseLost:
                raise
            except StoreUnavailable as error:
                # Patience has ended once; the next one of its objects waits for the next round.
                away.add(finding.repository)
                failed.append(error)
                _note_first(troubles, part, error)
            except Exception as error:  # one finding's trouble must not be the others' end
                failed.append(error)
                _note_first(troubles, part, error)
        self._note(findings, troubles, lease)
        if failed:
            raise next((each for each in failed if not isinstance(each, EXPECTED)), failed[0])
        return 0

    def _note(
        self,
        findings: Iterable[ScrubFinding],
        troubles: Mapping[Part, Exception | None],
        lease: Lease,
    ) -> None:
        seen_to = {each.id for each in findings}
        with self.store.read() as tx:
            others = [each for each in tx.scrub_findings(open_only=True) if each.id not in seen_to]
        # Where there is more than this was about, that may be what can't be seen to.
        unsure = {(each.repository, each.tenant) for each in others}
        for part, trouble in troubles.items():
            if trouble is not None:
                self.upkeep.failed(part.repository, part.tenant, trouble, lease)
            elif (part.repository.id, part.tenant) not in unsure:
                self.upkeep.done(part.repository, part.tenant, lease)

    def heal(
        self, finding: ScrubFinding, objects: ObjectStore, repository: Repository, lease: Lease
    ) -> None:
        others = self.others(finding.repository, finding.tenant)
        healing = self._healing(finding, objects, repository, others)
        if not healing.well:
            stray = healing.outcome is HealOutcome.STRAY
            written(
                self.store,
                lease,
                lambda tx: lost_for_now(tx, finding.id, self.world.clock.now(), stray=stray),
            )
            return
        source = next(
            (id for id, store in others.items() if store.name == healing.source), repository.id
        )
        written(
            self.store,
            lease,
            lambda tx: healed_damage(tx, finding.id, source, self.world.clock.now()),
        )

    def _healing(
        self,
        finding: ScrubFinding,
        objects: ObjectStore,
        repository: Repository,
        others: dict[RepositoryId, ObjectStore],
    ) -> Healing:
        lock = timedelta(days=repository.lock_days)
        until = objects.now() + lock if lock else None
        part = Part(repository, finding.tenant)
        if finding.key == REPOSITORY_OBJECT or is_keyring(finding.key):
            return self.doors.heal(part, finding.key, until)
        if "/index/" in finding.key:
            # Each repository has its own; it is made again from the packs.
            with self.vaults.open(repository, finding.tenant).vault as vault:
                healing = heal_index(vault, finding.key, locked_until=until)
        else:
            try:
                healing = heal(objects, finding.key, list(others.values()), locked_until=until)
            except ValueError:
                # A manifest of which not even the hash is known.
                return Healing(finding.key, objects.name, HealOutcome.NO_COPY)
        if healing.well and self._damage(part, objects, finding.key):
            return replace(healing, outcome=HealOutcome.NO_COPY)
        nobodys = not healing.well and not finding.points
        if nobodys and is_missed_by_nobody(objects, part.tenant.text, finding.key):
            return replace(healing, outcome=HealOutcome.WHOLE)
        return healing

    def _damage(self, part: Part, objects: ObjectStore, key: str) -> bool:
        """Whether it is wrong still, as far as can be told: that its bytes agree with its name does not make
        it open."""
        try:
            with self.vaults.open(part.repository, part.tenant).vault as vault:
                keyring = vault.keyring
        except YuiError:
            keyring = None
        return damage_of(objects, part.tenant.text, key, keyring=keyring) is not None

    def _repository(self, id: RepositoryId) -> Repository:
        with self.store.read() as tx:
            return tx.repository(id)

    def others(
        self, repository: RepositoryId, tenant: MunicipalityCode
    ) -> dict[RepositoryId, ObjectStore]:
        with self.store.read() as tx:
            repositories = tx.repositories()
        found: dict[RepositoryId, ObjectStore] = {}
        for each in repositories:
            theirs = each.tenant in (None, tenant)
            if each.id != repository and theirs:
                try:
                    found[each.id] = self.world.objects(each.place)
                except (YuiError, ObjectStoreError):
                    continue
        return found


def _note_first(
    troubles: dict[Part, Exception | None], part: Part | None, error: Exception
) -> None:
    if part is not None and troubles.get(part) is None:
        troubles[part] = error

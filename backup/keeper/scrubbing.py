"""Reads what lies in repositories again, long before anybody needs it, and puts right what is no longer
what was written from another repository that has it whole.

A little at a time and round again: of each member's part of a repository the record says how far it was
read. What can't be healed, as no repository has it whole or none answers, is tried again later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from backup.keeper.collecting import Part
from backup.keeper.errands import Errands
from backup.keeper.timings import Timings
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.records.damage import found_damage, healed_damage, lost_for_now
from backup.repository import Damaged, Vault
from backup.repository.affected import points_needing
from backup.repository.errors import missing
from backup.repository.heal import Healing, HealOutcome, hash_in, heal, heal_index
from backup.repository.scrub import Scrubbed, scrub
from control_plane.drivers.objects import NoSuchObject, ObjectStore, ObjectStoreError
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.ids import RecoveryPointId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord, ServerPoint
from control_plane.model.backup.scrubbing import ScrubFinding, ScrubState
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from control_plane.store import Lease, Snapshot, Store, Transaction

_NEVER = datetime.min.replace(tzinfo=UTC)
_NOTHING_THERE = ("backup-vault-absent", "backup-repository-absent")
_ABSENT = missing("repository.json")


@dataclass(slots=True)
class Scrubbing:
    """One part at a time, the one whose last pass ended the longest ago."""

    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    _errands: Errands[Part, int] = field(init=False)
    _rests_until: Seconds = Seconds(float("-inf"))
    _healed_at: Seconds = Seconds(float("-inf"))
    _mends: bool = False

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.COPY)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def settle(self) -> list[Exception]:
        failures = []
        for each in self._errands.settle():
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
                continue
            rest = (each.result or 0) / self.timings.scrub_bytes_per_second
            after = Seconds(self.world.clock.monotonic() + rest)
            self._rests_until = max(self._rests_until, after)
        return failures

    def begin(self, lease: Lease) -> int:
        now = self.world.clock.monotonic()
        if self.busy or now < self._rests_until:
            return 0
        self._rests_until = Seconds(now + self.timings.every)
        with self.store.read() as tx:
            open_findings = tx.scrub_findings(open_only=True)
            part = self._next(tx)
        # By turns: however much is damaged, what else there is is looked for.
        self._mends = not self._mends
        if open_findings and self._mends and now - self._healed_at >= self.timings.heal_every:
            self._healed_at = now
            first = open_findings[0]
            mended = Part(self._repository(first.repository), first.tenant)
            self._errands.begin("heal", mended, partial(self._heal_all, open_findings, lease))
            return 1
        if part is None:
            return 0
        self._errands.begin(part.name, part, partial(self._scrub, part, lease))
        return 1

    def _next(self, tx: Snapshot) -> Part | None:
        states = {(each.repository, each.tenant): each for each in tx.scrub_states()}
        due: list[tuple[datetime, str, Part]] = []
        for repository in tx.repositories():
            for tenant in sorted({point.tenant for point in tx.points_in(repository.id)}, key=str):
                part = Part(repository, tenant)
                state = states.get((repository.id, tenant))
                # A pass that is under way goes on before another begins.
                passed = state.passed_at if state and not state.cursor else _NEVER
                if self._errands.may_begin(part.name):
                    due.append((passed or _NEVER, part.name, part))
        return min(due)[2] if due else None

    def _scrub(self, part: Part, lease: Lease) -> int:
        """Bytes that were read."""
        try:
            opened = self.vaults.open(part.repository, part.tenant)
        except YuiError as error:
            if error.type not in _NOTHING_THERE:
                raise
            self._note(
                part, self.world.objects(part.repository.place), _ABSENT, lease, self._held(part)
            )
            return 0
        with opened.vault as vault:
            state = self._state(part)
            found = scrub(
                vault.objects,
                vault.tenant,
                cursor=state.cursor,
                budget=self.timings.scrub_slice_bytes,
                keyring=vault.keyring,
            )
            for damage in found.findings:
                needing = self._records_of(part, _needing(vault, damage))
                self._note(part, vault.objects, damage, lease, needing)
            if found.ended:
                self._look_for_points(part, vault, lease)
        written(self.store, lease, lambda tx: tx.put_scrub_state(self._advanced(state, found)))
        return found.read_bytes

    def _state(self, part: Part) -> ScrubState:
        with self.store.read() as tx:
            for each in tx.scrub_states():
                if (each.repository, each.tenant) == (part.repository.id, part.tenant):
                    return each
        return ScrubState(part.repository.id, part.tenant, self.world.clock.now())

    def _advanced(self, state: ScrubState, found: Scrubbed) -> ScrubState:
        advanced = state.advanced(found.cursor, found.read_bytes)
        return advanced.ended(self.world.clock.now()) if found.ended else advanced

    def _look_for_points(self, part: Part, vault: Vault, lease: Lease) -> None:
        """What is on record as being there has its manifests there."""
        there = {facts.id for facts in vault.points()}
        with self.store.read() as tx:
            records = _held_in(tx, part)
        for record in records:
            for server in record.servers:
                if server.point not in there:
                    key = self._manifest_elsewhere(part, server)
                    self._note(part, vault.objects, missing(key), lease, [record.id])

    def _manifest_elsewhere(self, part: Part, server: ServerPoint) -> str:
        prefix = f"tenants/{part.tenant}/points/{server.server}/{server.point}"
        for objects in self._others(part.repository.id, part.tenant).values():
            with suppress(ObjectStoreError):
                for facts in objects.list(prefix):
                    return facts.key
        return prefix

    def _held(self, part: Part) -> list[RecoveryPointId]:
        with self.store.read() as tx:
            return [point.id for point in _held_in(tx, part)]

    def _note(
        self,
        part: Part,
        objects: ObjectStore,
        damage: Damaged,
        lease: Lease,
        points: Sequence[RecoveryPointId],
    ) -> None:
        if not points and damage is _ABSENT:
            return
        noted: list[ScrubFinding] = []

        def write(tx: Transaction) -> None:
            noted[:] = [
                found_damage(
                    tx,
                    part.repository.id,
                    part.tenant,
                    self.world.clock.now(),
                    key=damage.object,
                    what=damage.what,
                    points=points,
                )
            ]

        written(self.store, lease, write)
        self._heal(noted[0], objects, part.repository, lease)

    def _records_of(self, part: Part, manifests: Iterable[str]) -> list[RecoveryPointId]:
        """The points whose servers' manifests these are."""
        wanted = set(manifests)
        with self.store.read() as tx:
            return [
                point.id
                for point in tx.points_in(part.repository.id)
                if point.tenant == part.tenant and any(s.point in wanted for s in point.servers)
            ]

    def _heal_all(self, findings: Iterable[ScrubFinding], lease: Lease) -> int:
        for finding in findings:
            repository = self._repository(finding.repository)
            self._heal(finding, self.world.objects(repository.place), repository, lease)
        return 0

    def _heal(
        self, finding: ScrubFinding, objects: ObjectStore, repository: Repository, lease: Lease
    ) -> None:
        others = self._others(finding.repository, finding.tenant)
        healing = self._healing(finding, objects, repository, others)
        if healing is None or healing.outcome in (HealOutcome.NO_COPY, HealOutcome.LOCKED):
            written(
                self.store, lease, lambda tx: lost_for_now(tx, finding.id, self.world.clock.now())
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
    ) -> Healing | None:
        """None for what no other repository could have, such as a keyring, while it is not there."""
        try:
            hash_in(finding.key)
        except ValueError:
            try:
                objects.get(finding.key)
            except NoSuchObject:
                return None
            return Healing(finding.key, objects.name, HealOutcome.WHOLE)
        lock = timedelta(days=repository.lock_days)
        until = objects.now() + lock if lock else None
        if "/index/" in finding.key:
            # Each repository has its own; it is made again from the packs.
            with self.vaults.open(repository, finding.tenant).vault as vault:
                return heal_index(vault, finding.key, locked_until=until)
        return heal(objects, finding.key, list(others.values()), locked_until=until)

    def _others(
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

    def _repository(self, id: RepositoryId) -> Repository:
        with self.store.read() as tx:
            return tx.repository(id)


def _held_in(tx: Snapshot, part: Part) -> list[RecoveryPointRecord]:
    return [
        point
        for point in tx.points_in(part.repository.id)
        if point.tenant == part.tenant and part.repository.id in point.held_in()
    ]


def _needing(vault: Vault, damage: Damaged) -> list[str]:
    """Manifests of the points that need it, also of those that were written later."""
    if "/packs/" not in damage.object:
        return list(damage.points)
    pack = bytes.fromhex(damage.object.rpartition("/")[2])
    return points_needing(vault.objects, vault.index, [pack])[pack]

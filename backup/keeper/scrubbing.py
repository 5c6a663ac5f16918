"""Reads what lies in repositories again, long before anybody needs it, and puts right what is no longer
what was written from another repository that has it whole.

A little at a time and round again: of each member's part of a repository the record says how far it was
read. What can't be healed, as no repository has it whole or none answers, is tried again later. What opens
a part at all is looked at first (`doors`); where that can't be put right at once, the rest is read as far as
it can be without keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from backup.keeper.collecting import Part
from backup.keeper.doors import Doors, is_keyring
from backup.keeper.errands import Errands
from backup.keeper.healing import Healer
from backup.keeper.keyrings import NOTHING_THERE
from backup.keeper.timings import Timings
from backup.keeper.upkeeping import Upkeeping
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.records.damage import found_damage
from backup.repository import Damaged, Vault
from backup.repository.affected import points_of
from backup.repository.errors import missing
from backup.repository.keyrings import REPOSITORY_OBJECT
from backup.repository.point import facts_of, points_prefix
from backup.repository.scrub import Scrubbed, scrub
from control_plane.drivers.objects import ObjectStore, ObjectStoreError
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.backup.points import Held, RecoveryPointRecord, ServerPoint, Spoiled
from control_plane.model.backup.scrubbing import Found, Lost, ScrubFinding, ScrubState
from control_plane.model.backup.upkeep import UpkeepWork
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.store import Lease, Snapshot, Store, Transaction

_NEVER = datetime.min.replace(tzinfo=UTC)
_ABSENT = missing(REPOSITORY_OBJECT)
_KEYS = "heal keys"


@dataclass(slots=True)
class Scrubbing:
    """One part at a time, the one whose last pass ended the longest ago."""

    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    _errands: Errands[tuple[Part, ...], int] = field(init=False)
    _doors: Doors = field(init=False)
    _upkeep: Upkeeping = field(init=False)
    _healer: Healer = field(init=False)
    _reads: Part | None = None
    _rests_until: Seconds = Seconds(float("-inf"))
    _healed_at: Seconds = Seconds(float("-inf"))
    _keys_healed_at: Seconds = Seconds(float("-inf"))
    _mends: bool = False

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.COPY)
        self._doors = Doors(self.store, self.world, self.vaults)
        self._upkeep = Upkeeping(self.store, self.world.clock, UpkeepWork.REREADING)
        self._healer = Healer(self.store, self.world, self.vaults, self._doors)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def written(self) -> list[Part]:
        """Where a keyring is being put right: nobody is to destroy it meanwhile."""
        return [part for parts in self._errands.things() for part in parts]

    def settle(self, lease: Lease) -> list[Exception]:
        failures = []
        for each in self._errands.settle(lease):
            read = self._reads if self._reads and self._reads.name == each.name else None
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
                if read is not None:
                    self._upkeep.failed(read.repository, read.tenant, each.error, lease)
                continue
            if read is not None:
                self._upkeep.done(read.repository, read.tenant, lease)
            rest = (each.result or 0) / self.timings.scrub_bytes_per_second
            after = Seconds(self.world.clock.monotonic() + rest)
            self._rests_until = max(self._rests_until, after)
        return failures

    def begin(self, lease: Lease, *, keys_at_rest: bool = True) -> int:
        """`keys_at_rest`: nobody changes or destroys keys just now."""
        now = self.world.clock.monotonic()
        if self.busy or now < self._rests_until:
            return 0
        self._rests_until = Seconds(now + self.timings.every)
        with self.store.read() as tx:
            findings = tx.scrub_findings(open_only=True)
            repositories = {each.id: each for each in tx.repositories()}
            parts = self._parts(tx)
            part = self._next(tx, parts)
        self._upkeep.only({(one.repository.id, one.tenant) for one in parts}, lease)
        self._healer.upkeep.only({(one.repository, one.tenant) for one in findings}, lease)
        keyrings = [each for each in findings if is_keyring(each.key)]
        if keyrings and keys_at_rest and self._is_time_for_keys(keyrings):
            self._keys_healed_at = now
            written_to = tuple(
                Part(repositories[each.repository], each.tenant)
                for each in keyrings
                if each.repository in repositories
            )
            self._errands.begin(
                _KEYS, written_to, partial(self._healer.heal_all, keyrings, lease), lease
            )
            return 1
        others = [each for each in findings if not is_keyring(each.key)]
        # By turns: however much is damaged, what else there is is looked for.
        self._mends = not self._mends
        if others and self._mends and now - self._healed_at >= self.timings.heal_every:
            self._healed_at = now
            self._errands.begin("heal", (), partial(self._healer.heal_all, others, lease), lease)
            return 1
        if part is None:
            return 0
        self._reads = part
        self._errands.begin(part.name, (), partial(self._scrub, part, lease), lease)
        return 1

    def _is_time_for_keys(self, findings: Iterable[ScrubFinding]) -> bool:
        """At once where it was not tried yet: nothing can be written there until then."""
        new = any(isinstance(each.standing, Found) for each in findings)
        rested = self.world.clock.monotonic() - self._keys_healed_at
        return self._errands.may_begin(_KEYS) and (new or rested >= self.timings.heal_every)

    def _parts(self, tx: Snapshot) -> list[Part]:
        """In which points lie."""
        return [
            Part(repository, tenant)
            for repository in tx.repositories()
            for tenant in sorted({point.tenant for point in tx.points_in(repository.id)}, key=str)
        ]

    def _next(self, tx: Snapshot, parts: Iterable[Part]) -> Part | None:
        states = {(each.repository, each.tenant): each for each in tx.scrub_states()}
        due: list[tuple[datetime, str, Part]] = []
        for part in parts:
            state = states.get((part.repository.id, part.tenant))
            # A pass that is under way goes on before another begins.
            passed = state.passed_at if state and not state.cursor else _NEVER
            if self._errands.may_begin(part.name):
                due.append((passed or _NEVER, part.name, part))
        return min(due)[2] if due else None

    def _scrub(self, part: Part, lease: Lease) -> int:
        """Bytes that were read."""
        objects = self.world.objects(part.repository.place)
        damaged = self._doors.look(part, lease)
        for damage in damaged:
            self._note(part, objects, damage, lease, self._held(part, spoiled=True))
        if damaged:
            damaged = self._doors.look(part, lease)
        if any(
            damage.object == REPOSITORY_OBJECT and damage.what == _ABSENT.what for damage in damaged
        ):
            # Its turn comes again after the others'.
            state = self._state(part).ended(self.world.clock.now())
            written(self.store, lease, lambda tx: tx.put_scrub_state(state))
            return 0
        if damaged:
            return self._scrub_slice(part, objects, None, lease)
        try:
            opened = self.vaults.open(part.repository, part.tenant)
        except YuiError as error:
            if error.type not in NOTHING_THERE:
                raise
            return self._scrub_slice(part, objects, None, lease)
        with opened.vault as vault:
            return self._scrub_slice(part, vault.objects, vault, lease)

    def _scrub_slice(
        self, part: Part, objects: ObjectStore, vault: Vault | None, lease: Lease
    ) -> int:
        state = self._state(part)
        found = scrub(
            objects,
            part.tenant.text,
            cursor=state.cursor,
            budget=self.timings.scrub_slice_bytes,
            keyring=None if vault is None else vault.keyring,
            key=self.vaults.key(part.repository),
        )
        for damage in found.findings:
            needing = damage.points if vault is None else points_of(vault, damage)
            self._note(part, objects, damage, lease, self._records_of(part, needing))
        if found.ended:
            self._look_for_points(part, objects, lease)
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

    def _look_for_points(self, part: Part, objects: ObjectStore, lease: Lease) -> None:
        """What is on record as being there has its manifests there."""
        listed = objects.list(points_prefix(part.tenant.text))
        found = (facts_of(fact.key, fact.size, fact.modified) for fact in listed)
        there = {facts.id for facts in found if facts is not None}
        with self.store.read() as tx:
            records = _held_in(tx, part)
        for record in records:
            for server in record.servers:
                if server.point not in there:
                    key = self._manifest_elsewhere(part, server)
                    self._note(part, objects, missing(key), lease, [record.id])

    def _manifest_elsewhere(self, part: Part, server: ServerPoint) -> str:
        prefix = f"tenants/{part.tenant}/points/{server.server}/{server.point}"
        for objects in self._healer.others(part.repository.id, part.tenant).values():
            with suppress(ObjectStoreError):
                for facts in objects.list(prefix):
                    return facts.key
        return prefix

    def _held(self, part: Part, *, spoiled: bool = False) -> list[RecoveryPointId]:
        with self.store.read() as tx:
            return [point.id for point in _held_in(tx, part, spoiled=spoiled)]

    def _note(
        self,
        part: Part,
        objects: ObjectStore,
        damage: Damaged,
        lease: Lease,
        points: Sequence[RecoveryPointId],
    ) -> None:
        if not points and damage.what == _ABSENT.what and not _names_an_object(damage):
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
        if not is_keyring(damage.object) and not isinstance(noted[0].standing, Lost):
            # What needs keys that don't open waits for them, and what can't be put now for its next try: the
            # rest is to be read all the same.
            with suppress(YuiError, ObjectStoreError):
                self._healer.heal(noted[0], objects, part.repository, lease)

    def _records_of(self, part: Part, manifests: Iterable[str]) -> list[RecoveryPointId]:
        """The points whose servers' manifests these are."""
        wanted = set(manifests)
        with self.store.read() as tx:
            return [
                point.id
                for point in tx.points_in(part.repository.id)
                if point.tenant == part.tenant and any(s.point in wanted for s in point.servers)
            ]


def _held_in(tx: Snapshot, part: Part, *, spoiled: bool = False) -> list[RecoveryPointRecord]:
    """The points of which a copy is there, and `spoiled` ones, too."""
    kinds = (Held, Spoiled) if spoiled else (Held,)
    found = []
    for point in tx.points_in(part.repository.id):
        copy = point.copy_in(part.repository.id)
        if point.tenant == part.tenant and copy is not None and isinstance(copy.standing, kinds):
            found.append(point)
    return found


def _names_an_object(damage: Damaged) -> bool:
    """A keyring or a repository that nothing is known to need is none that is missed."""
    return damage.object != REPOSITORY_OBJECT and not is_keyring(damage.object)

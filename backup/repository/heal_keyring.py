"""Putting a tenant's keyring right in one repository, from what is left of it or from another's.

Each repository wraps the same secret under its own key, so that no bytes can be copied: a keyring that was
opened elsewhere is wrapped again. A generation's number says which secret it is, in every repository, so
that it is kept: the same generation goes where the damaged one lies, a later one beside it, and an earlier
one nowhere, as it may lack a key. Nothing is believed that does not open every recovery point there is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backup.repository.errors import Damaged, Stray
from backup.repository.heal import Healing, HealOutcome, as_stray, retention
from backup.repository.ids import object_id
from backup.repository.keyrings import generations, newest_keyring
from backup.repository.keys import (
    Keyring,
    RepositoryKey,
    generation_of,
    keyring_object,
    keyrings_prefix,
    salvaged,
    told_created,
    unwrap,
    wrap,
)
from backup.repository.point import facts_of, points_prefix, read_manifest
from backup.repository.sizes import LARGEST_KEYRING, LARGEST_MANIFEST, read_whole
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectLocked,
    ObjectStore,
)
from control_plane.model.errors import YuiError


@dataclass(frozen=True, slots=True)
class KeyringElsewhere:
    """A tenant's newest keyring as another store's repository has it."""

    store: str
    keyring: Keyring


@dataclass(frozen=True, slots=True)
class _Source:
    keyring: Keyring
    store: str | None
    """None: from what is left of the damaged one."""


def keyring_damage(
    objects: ObjectStore, key: RepositoryKey, tenant: str, generation: int
) -> Damaged | None:
    """Whether it opens. One that is not there, or that another repository key has closed, is not damaged.
    Raises ObjectStoreError."""
    try:
        data = read_whole(objects, keyring_object(tenant, generation), LARGEST_KEYRING)
        unwrap(data, key, tenant=tenant, generation=generation, store=objects.name)
    except NoSuchObject:
        return None
    except Damaged as damage:
        return damage
    except YuiError:
        return None
    return None


@dataclass(frozen=True, slots=True)
class KeyringHealing:
    """`others` answered, `silent` (names of stores) did not. `may_be` tells whether the tenant is to have
    keys in this repository, given whether none is there: it is asked right before anything is put, and
    once more right after, whereupon what was put is deleted again. So keys that are destroyed meanwhile
    stay destroyed."""

    objects: ObjectStore
    key: RepositoryKey
    tenant: str
    others: Sequence[KeyringElsewhere]
    silent: tuple[str, ...] = ()
    may_be: Callable[[bool], bool] = lambda _: True
    locked_until: datetime | None = None

    def heal(self, where: str) -> Healing:
        """`where` is the damaged object's key, or the prefix of them all where there is none. Raises
        ObjectStoreError, YuiError("backup-wrong-key")."""
        found = None if where == keyrings_prefix(self.tenant) else as_stray(self.objects, where)
        if found is not None:
            return found
        wanted = generation_of(where) or 0
        there = generations(self.objects, self.tenant)
        newest = there[-1] if there else 0
        healing = Healing(where, self.objects.name, HealOutcome.WHOLE)
        if not there or (newest < wanted and not self._suffices()):
            healing = self._receive(where, max(wanted, newest + 1))
        elif self._damage(newest):
            healing = self._mend(where, newest)
        return self._read_right(wanted, healing) if healing.well else healing

    def _read_right(self, wanted: int, healing: Healing) -> Healing:
        """The keyring that counts is to open now; an earlier one that does not is of no use."""
        if not self._opens():
            return self._lost(healing.key)
        newest = generations(self.objects, self.tenant)[-1]
        if wanted not in (0, newest) and self._damage(wanted):
            # Where retention keeps it, it is in nobody's way.
            with contextlib.suppress(ObjectLocked):
                self.objects.delete(healing.key)
            if healing.outcome is HealOutcome.WHOLE:
                return replace(healing, outcome=HealOutcome.SUPERSEDED)
        return healing

    def _mend(self, where: str, newest: int) -> Healing:
        key = keyring_object(self.tenant, newest)
        try:
            rotten = self.objects.get(key, length=LARGEST_KEYRING)
        except NoSuchObject:
            return self._lost(where)
        for source in self._sources(rotten, newest):
            if source.keyring.generation > newest:
                return self._put(where, source, source.keyring.generation, held_as=key)
            return self._put_over(where, source, newest, rotten)
        return self._lost(where)

    def _sources(self, rotten: bytes, newest: int) -> Sequence[_Source]:
        left = salvaged(rotten, self.key, tenant=self.tenant, generation=newest)
        if left is not None:
            # What opens is what was sealed, to the last byte.
            return [_Source(left, None)]
        created = told_created(rotten)
        return [
            _Source(other.keyring, other.store)
            for other in self._best_first()
            if self._is_of(other.keyring, rotten, newest)
            and self._opens_all(
                other.keyring, proven=created is not None and created == other.keyring.sealing.since
            )
        ]

    def _best_first(self) -> list[KeyringElsewhere]:
        found = [each for each in self.others if each.keyring.tenant == self.tenant]
        return sorted(
            found,
            key=lambda each: (len(each.keyring.seal_keys), each.keyring.generation),
            reverse=True,
        )

    def _is_of(self, keyring: Keyring, rotten: bytes, generation: int) -> bool:
        """Whether it holds all keys that this generation held: a later one does, and the same or an earlier
        one whose newest key was made when this one's was, and that is no shorter."""
        if keyring.generation > generation:
            return True
        created = told_created(rotten)
        length = len(wrap(replace(keyring, generation=generation), self.key))
        if created is not None and created != keyring.sealing.since:
            return False
        if keyring.generation == generation:
            return len(rotten) <= length
        return created is not None and len(rotten) == length

    def _receive(self, where: str, least: int) -> Healing:
        """There is none that counts: only another repository's can be it."""
        for other in self._best_first():
            enough = other.keyring.generation >= least
            if enough and self._opens_all(other.keyring, proven=False):
                source = _Source(other.keyring, other.store)
                return self._put(where, source, other.keyring.generation)
        return self._lost(where)

    def _put_over(self, where: str, source: _Source, newest: int, rotten: bytes) -> Healing:
        key = keyring_object(self.tenant, newest)
        try:
            if self.objects.get(key, length=LARGEST_KEYRING) != rotten:
                return self._lost(where)
            return self._put(where, source, newest, over=True, held_as=key)
        except NoSuchObject:
            return self._lost(where)
        except ObjectLocked:
            pass
        # It stays as it is until its retention ends. The next number may be taken only where nobody has
        # given it to other keys.
        if self.silent or any(other.keyring.generation > newest for other in self.others):
            return Healing(where, self.objects.name, HealOutcome.LOCKED, source.store, self.silent)
        return self._put(where, source, newest + 1, held_as=key)

    def _put(
        self,
        where: str,
        source: _Source,
        generation: int,
        *,
        over: bool = False,
        held_as: str | None = None,
    ) -> Healing:
        """Under retention as `held_as` is. Raises ObjectLocked where it is put `over` what is there."""
        key = keyring_object(self.tenant, generation)
        held = None if held_as is None else retention(self.objects, held_as)
        # Nothing was damaged that is not there: it was lost, or destroyed.
        lost = held_as is None
        if not self.may_be(lost):
            return self._lost(where)
        keyring = replace(source.keyring, generation=generation)
        try:
            self.objects.put(key, wrap(keyring, self.key), only_new=not over)
        except ObjectExists:
            # Somebody else was here.
            return Healing(where, self.objects.name, HealOutcome.WHOLE)
        if not self.may_be(lost):
            self.objects.delete(key)
            return self._lost(where)
        ends = [until for until in (held, self.locked_until) if until is not None]
        if ends:
            self.objects.lock(key, max(ends))
        outcome = HealOutcome.SALVAGED if source.store is None else HealOutcome.HEALED
        return Healing(where, self.objects.name, outcome, source.store)

    def _opens(self) -> bool:
        try:
            return newest_keyring(self.objects, self.key, self.tenant) is not None
        except Damaged:
            return False

    def _suffices(self) -> bool:
        """An earlier generation than the one that is no longer there opens all that counts."""
        try:
            newest = newest_keyring(self.objects, self.key, self.tenant)
        except Damaged:
            return False
        return newest is not None and self._opens_all(newest, proven=False)

    def _damage(self, generation: int) -> Damaged | None:
        return keyring_damage(self.objects, self.key, self.tenant, generation)

    def _opens_all(self, keyring: Keyring, *, proven: bool) -> bool:
        """Every manifest that agrees with its name was written with these keys. Without one that says so,
        it has to be proven otherwise."""
        for fact in self.objects.list(points_prefix(self.tenant)):
            facts = facts_of(fact.key, fact.size, fact.modified)
            if facts is None:
                continue
            try:
                data = read_whole(self.objects, fact.key, LARGEST_MANIFEST, fact.size)
            except (Damaged, NoSuchObject):
                continue
            if object_id(data) != facts.hash:
                # That is a finding of its own.
                continue
            try:
                point = read_manifest(fact.key, data, keyring)
            except Stray:
                continue
            except Damaged:
                return False
            if keyring.seal_key(point.seal_key) is None:
                return False
            proven = True
        return proven

    def _lost(self, where: str) -> Healing:
        return Healing(where, self.objects.name, HealOutcome.NO_COPY, silent=self.silent)

"""What opens a member's part of a repository: `repository.json`, and the keyring that counts.

Where one of them rots nothing there can be read or written, so that they are looked at each time the part
is read again, and before it is opened. Neither is like another repository's: what `repository.json` says is
remembered, and a keyring is opened elsewhere and wrapped anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backup.keeper.collecting import Part
from backup.keeper.keyrings import keyrings
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.repository import Damaged
from backup.repository.description import heal_description, read_description
from backup.repository.errors import missing
from backup.repository.heal import Healing
from backup.repository.heal_keyring import KeyringElsewhere, KeyringHealing, keyring_damage
from backup.repository.keyrings import REPOSITORY_OBJECT, generations, newest_keyring
from backup.repository.keys import keyrings_prefix
from control_plane.drivers.objects import ObjectStore, ObjectStoreError
from control_plane.drivers.world import World
from control_plane.model.backup.ids import KeyTaskId
from control_plane.model.backup.work import Agreed, Carried, KeyErrand
from control_plane.model.errors import YuiError
from control_plane.store import Lease, Store


def is_keyring(key: str) -> bool:
    return "/keyring/" in key


@dataclass(frozen=True, slots=True)
class Doors:
    store: Store
    world: World
    vaults: Vaults

    def look(self, part: Part, lease: Lease) -> list[Damaged]:
        """What is wrong; nothing where the part can be opened. Where there is no repository that is all
        there is to say. Raises ObjectStoreError, YuiError."""
        objects = self.world.objects(part.repository.place)
        try:
            try:
                self._read_description(part, objects, lease)
            except Damaged:
                # What was disturbed on its way here is right at the second look.
                self._read_description(part, objects, lease)
        except Damaged as damage:
            if damage.what == missing(REPOSITORY_OBJECT).what:
                return [damage]
            return [damage, *self._keyring(part, objects)]
        return self._keyring(part, objects)

    def _read_description(self, part: Part, objects: ObjectStore, lease: Lease) -> None:
        id = part.repository.id
        with self.store.read() as tx:
            known = tx.repository_description(id)
        said = read_description(objects, known)
        if said != known:
            written(self.store, lease, lambda tx: tx.remember_description(id, said))

    def _keyring(self, part: Part, objects: ObjectStore) -> list[Damaged]:
        tenant = part.tenant.text
        there = generations(objects, tenant)
        if not there:
            return [missing(keyrings_prefix(tenant))] if self._may_come_back(part) else []
        key = self.vaults.key(part.repository)
        found = keyring_damage(objects, key, tenant, there[-1])
        if found is not None:
            found = keyring_damage(objects, key, tenant, there[-1])
        return [] if found is None else [found]

    def heal(self, part: Part, key: str, locked_until: datetime | None) -> Healing:
        """Raises ObjectStoreError, YuiError."""
        objects = self.world.objects(part.repository.place)
        if key == REPOSITORY_OBJECT:
            with self.store.read() as tx:
                known = tx.repository_description(part.repository.id)
            return heal_description(
                objects,
                known,
                is_this_one=lambda: self._opens(part, objects),
                locked_until=locked_until,
            )
        others, silent = self._elsewhere(part)
        return KeyringHealing(
            objects,
            self.vaults.key(part.repository),
            part.tenant.text,
            others,
            silent,
            may_be=_Permission(self, part),
            locked_until=locked_until,
        ).heal(key)

    def _opens(self, part: Part, objects: ObjectStore) -> bool:
        """Whether what lies there is closed with this repository's key."""
        try:
            key = self.vaults.key(part.repository)
            return newest_keyring(objects, key, part.tenant.text) is not None
        except YuiError:
            return False

    def _elsewhere(self, part: Part) -> tuple[Sequence[KeyringElsewhere], tuple[str, ...]]:
        with self.store.read() as tx:
            among = [r for r in tx.repositories(part.tenant) if r.id != part.repository.id]
        found: list[KeyringElsewhere] = []
        silent: list[str] = []
        for repository in among:
            name: str = repository.id
            try:
                name = self.world.objects(repository.place).name
                for _, keyring in keyrings(self.vaults, [repository], part.tenant):
                    found.append(KeyringElsewhere(name, keyring))
            except (ObjectStoreError, YuiError):
                silent.append(name)
        return found, tuple(silent)

    def _may_come_back(self, part: Part) -> bool:
        return _Permission(self, part)(lost=True)

    def destructions(self, part: Part) -> _Destructions:
        with self.store.read() as tx:
            tasks = tx.key_tasks(part.tenant)
        here = part.repository.id
        meant = [
            task
            for task in tasks
            if task.errand is KeyErrand.DESTROY and task.repository in (None, here)
        ]
        agreed = [each.standing for each in meant if isinstance(each.standing, Agreed)]
        return _Destructions(
            bool(agreed),
            any(each.steps for each in agreed),
            frozenset(each.id for each in meant if isinstance(each.standing, Carried)),
            any(isinstance(each.standing, Carried) and each.repository == here for each in meant),
        )


@dataclass(frozen=True, slots=True)
class _Destructions:
    """Of the member's keys in one repository: whether one is agreed, whether one has begun, those that
    were carried out, and whether one of them was of the keys in that place alone."""

    agreed: bool
    begun: bool
    carried: frozenset[KeyTaskId]
    alone: bool


class _Permission:
    """Whether keys may be put there still, each time it is asked. Keys that were destroyed don't come back:
    where none is, only if none was ever destroyed or is to be; and where a damaged one is, only while
    nobody has begun to destroy it."""

    def __init__(self, doors: Doors, part: Part) -> None:
        self._doors = doors
        self._part = part
        self._before = doors.destructions(part)

    def __call__(self, lost: bool) -> bool:
        now = self._doors.destructions(self._part)
        if lost:
            return not now.agreed and not now.carried
        return not now.begun and not now.alone and now.carried == self._before.carried

"""Reading a repository again and again, before anybody needs it, to see whether it is what was written.

Without keys each object is compared with the hash in its name: an operator finds every flipped, cut or
lost byte of what it cannot read. With a keyring everything is opened, too, and each piece compared with
its id. A keyring has no hash in its name: with the repository's key it is unwrapped. Objects are read in the order of their keys and round again, so that the next one is always the
one that was looked at the longest ago, and a key is all there is to remember.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from backup.repository.canonical import read_canonical
from backup.repository.errors import Damaged, altered, malformed, missing
from backup.repository.heal import retention
from backup.repository.heal_keyring import keyring_damage
from backup.repository.ids import object_id
from backup.repository.keys import Keyring, RepositoryKey, generation_of
from backup.repository.open_whole import open_index, open_pack
from backup.repository.pack import check_pack, pack_object, packs_prefix
from backup.repository.point import read_manifest
from control_plane.drivers.objects import NoSuchObject, ObjectFacts, ObjectStore


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """`cursor` is where the next call goes on; `ended`: the pass is over, and the next begins at "".
    `findings` name object and points; `objects` and `read_bytes` are what was read."""

    cursor: str
    ended: bool
    objects: int
    read_bytes: int
    findings: tuple[Damaged, ...]


def scrub(
    objects: ObjectStore,
    tenant: str,
    *,
    cursor: str = "",
    budget: int,
    keyring: Keyring | None = None,
    key: RepositoryKey | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Scrubbed:
    """Reads about `budget` bytes of a tenant's objects (one object at least, so that a small budget
    gets on, too), from the first key after `cursor`. Raises ObjectStoreError; what was found until then
    is found again, since the cursor did not move."""
    job = _Scrub(objects, tenant, keyring, key)
    for facts in objects.list(f"tenants/{tenant}/", after=cursor):
        if job.count and (job.read_bytes + facts.size > budget or stop()):
            return job.told(cursor, ended=False)
        job.look_at(facts)
        cursor = facts.key
    return job.told("", ended=True)


def damage_of(
    objects: ObjectStore,
    tenant: str,
    name: str,
    *,
    keyring: Keyring | None = None,
    key: RepositoryKey | None = None,
) -> Damaged | None:
    """What is wrong with the object called `name`, read as `scrub` reads it; nothing, too, where it is not
    there. Raises ObjectStoreError."""
    return _Scrub(objects, tenant, keyring, key).damage(name)


def points_naming(objects: ObjectStore, tenant: str, packs: Iterable[str]) -> dict[str, list[str]]:
    """Which recovery points were written with these packs (ids in hex), as their manifests tell
    without keys. Later points may need them too: `points_needing` tells, with keys."""
    wanted = set(packs)
    found: dict[str, list[str]] = {pack: [] for pack in wanted}
    for facts in objects.list(f"tenants/{tenant}/points/"):
        told = _told(objects, facts.key)
        for pack in wanted.intersection(_packs_of(told)):
            found[pack].append(str(told.get("id")))
    return found


class _Scrub:
    def __init__(
        self,
        objects: ObjectStore,
        tenant: str,
        keyring: Keyring | None,
        key: RepositoryKey | None,
    ) -> None:
        self._objects = objects
        self._tenant = tenant
        self._keyring = keyring
        self._key = key
        self._found: list[Damaged] = []
        self.count = 0
        self.read_bytes = 0

    def look_at(self, facts: ObjectFacts) -> None:
        self.count += 1
        damage = self.damage(facts.key)
        if damage is not None:
            # What was disturbed on its way here is right at the second look.
            damage = self.damage(facts.key)
        if damage is not None:
            self._found.append(damage)

    def told(self, cursor: str, *, ended: bool) -> Scrubbed:
        return Scrubbed(cursor, ended, self.count, self.read_bytes, tuple(self._with_points()))

    def damage(self, key: str) -> Damaged | None:
        try:
            data = self._objects.get(key)
        except NoSuchObject:
            # Deleted since it was listed; whoever still needs it tells so.
            return None
        self.read_bytes += len(data)
        try:
            self._check(key, data)
        except Damaged as damage:
            return damage
        return None

    def _check(self, key: str, data: bytes) -> None:
        kind = key.split("/")[2]
        name = key.rpartition("/")[2]
        if kind in ("packs", "index"):
            check_pack(key, data)
            if self._keyring is not None and kind == "packs":
                open_pack(self._objects, self._keyring, key, data)
            elif self._keyring is not None:
                open_index(self._objects, self._keyring, key)
        elif kind == "points":
            if object_id(data).hex() != name.partition(".")[2]:
                raise altered(key)
            if self._keyring is not None:
                read_manifest(key, data, self._keyring)
            self._check_packs(data)
        elif kind == "keyring":
            self._check_keyring(key, data)

    def _check_keyring(self, key: str, data: bytes) -> None:
        """One that another repository key has closed is a keyring; one whose place a later one has taken
        and that retention keeps is in nobody's way."""
        try:
            read_canonical(data)
        except ValueError:
            damage = malformed(key, "the keyring")
        else:
            generation = generation_of(key)
            found = (
                None
                if self._key is None or generation is None
                else keyring_damage(self._objects, self._key, self._tenant, generation)
            )
            if found is None:
                return
            damage = found
        if not self._is_past(key):
            raise damage

    def _is_past(self, key: str) -> bool:
        generation = generation_of(key)
        if self._keyring is None or generation is None or generation >= self._keyring.generation:
            return False
        until = retention(self._objects, key)
        return until is not None and until > self._objects.now()

    def _check_packs(self, data: bytes) -> None:
        """A pack that went since its point was written is told under the pack's own key."""
        told = json.loads(data)
        for pack in _packs_of(told):
            if pack not in self._packs_there and not self._there(pack):
                absent = missing(pack_object(self._tenant, bytes.fromhex(pack)))
                if all(each.object != absent.object for each in self._found):
                    self._found.append(absent.needed_by(str(told["id"])))

    @cached_property
    def _packs_there(self) -> frozenset[str]:
        return frozenset(
            facts.key.rpartition("/")[2] for facts in self._objects.list(packs_prefix(self._tenant))
        )

    def _there(self, pack: str) -> bool:
        try:
            self._objects.stat(pack_object(self._tenant, bytes.fromhex(pack)))
        except NoSuchObject:
            return False
        return True

    def _with_points(self) -> Iterator[Damaged]:
        damaged = [each for each in self._found if each.object.split("/")[2] == "packs"]
        needed = points_naming(self._objects, self._tenant, map(_name, damaged)) if damaged else {}
        for found in self._found:
            points = list(needed.get(_name(found), ()))
            if found.object.split("/")[2] == "points":
                points.append(_name(found).partition(".")[0])
            told = found
            for point in points:
                told = told.needed_by(point)
            yield told


def _name(damage: Damaged) -> str:
    return damage.object.rpartition("/")[2]


def _told(objects: ObjectStore, key: str) -> dict[str, object]:
    """A manifest as far as it can be read without keys; nothing where it can't."""
    try:
        told = json.loads(objects.get(key))
    except (NoSuchObject, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _packs_of(told: dict[str, object]) -> list[str]:
    packs = told.get("packs")
    if not isinstance(packs, list):
        return []
    return [pack for pack in packs if isinstance(pack, str) and len(pack) == 64]

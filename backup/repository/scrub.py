"""Reading a repository again and again, before anybody needs it, to see whether it is what was written.

Without keys each object is compared with the hash in its name: an operator finds every flipped, cut or
lost byte of what it cannot read. With a keyring everything is opened, too, and each piece compared with
its id. A keyring has no hash in its name: with the repository's key it is unwrapped. Objects are read in
the order of their keys and round again, so that the next one is always the one that was looked at the
longest ago, and a key is all there is to remember.

Whatever somebody else put there is told, too, and stops nothing: by its name alone where no writer gives
such a one, and unread where it is larger than any that is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

from backup.repository.canonical import read_canonical, read_json, read_time
from backup.repository.errors import Damaged, malformed, missing, oversized, stray
from backup.repository.heal import retention
from backup.repository.heal_keyring import keyring_damage
from backup.repository.index import listed_packs
from backup.repository.keys import Keyring, RepositoryKey, generation_of
from backup.repository.names import ObjectKind, check_form, kind_of
from backup.repository.open_whole import open_index, open_pack
from backup.repository.pack import pack_in, pack_object
from backup.repository.point import facts_of, packs_told, points_prefix, read_manifest
from backup.repository.reliance import condemned_prefix
from backup.repository.sizes import LARGEST_KEYRING, LARGEST_MANIFEST, LARGEST_SMALL, read_whole
from control_plane.drivers.objects import NoSuchObject, ObjectFacts, ObjectStore

_MOST_FOUND = 1000
"""After so many findings the rest is left for the next call."""
_MOST_MISSING = 1000
"""Packs that are told of one manifest at a time: without keys nobody knows who wrote it."""


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
    gets on, too), or until much is found, from the first key after `cursor`. Raises ObjectStoreError; what was found until then
    is found again, since the cursor did not move."""
    job = _Scrub(objects, tenant, keyring, key)
    # In the order of their keys.
    places = (condemned_prefix(tenant), f"tenants/{tenant}/")
    for facts in chain.from_iterable(objects.list(place, after=cursor) for place in places):
        if job.count and (job.read_bytes + job.cost(facts) > budget or job.is_full or stop()):
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
    try:
        size = objects.stat(name).size
    except NoSuchObject:
        return None
    return _Scrub(objects, tenant, keyring, key).damage(name, size)


def points_naming(objects: ObjectStore, tenant: str, packs: Iterable[str]) -> dict[str, list[str]]:
    """Which recovery points were written with these packs (ids in hex), as their manifests tell
    without keys. Later points may need them too: `points_needing` tells, with keys."""
    wanted = set(packs)
    found: dict[str, list[str]] = {pack: [] for pack in wanted}
    for listed in objects.list(points_prefix(tenant)):
        point = facts_of(listed.key, listed.size, listed.modified)
        if point is None:
            continue
        try:
            told = packs_told(
                point.key, read_whole(objects, point.key, LARGEST_MANIFEST, point.size)
            )
        except (Damaged, NoSuchObject):
            continue
        for pack in wanted.intersection(each.hex() for each in told):
            found[pack].append(point.id)
    return found


def is_missed_by_nobody(objects: ObjectStore, tenant: str, key: str) -> bool:
    """Of a pack, or a recovery point that is on no record: it is not there, and no manifest names it. Raises
    ObjectStoreError."""
    try:
        objects.stat(key)
    except NoSuchObject:
        pack = pack_in(key, tenant)
        if pack is None:
            return "/points/" in key
        return not points_naming(objects, tenant, [pack.hex()])[pack.hex()]
    return False


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
        self._missing: set[bytes] = set()
        self.count = 0
        self.read_bytes = 0

    def cost(self, facts: ObjectFacts) -> int:
        """How many bytes of it will be read."""
        kind = kind_of(facts.key, self._tenant)
        return 0 if kind is None or facts.size > kind.largest else facts.size

    def look_at(self, facts: ObjectFacts) -> None:
        self.count += 1
        damage = self.damage(facts.key, facts.size)
        if damage is not None and self.cost(facts):
            # What was disturbed on its way here is right at the second look.
            damage = self.damage(facts.key, facts.size)
        if damage is not None:
            self._found.append(damage)

    @property
    def is_full(self) -> bool:
        return len(self._found) >= _MOST_FOUND

    def told(self, cursor: str, *, ended: bool) -> Scrubbed:
        return Scrubbed(cursor, ended, self.count, self.read_bytes, tuple(self._with_points()))

    def damage(self, key: str, size: int) -> Damaged | None:
        kind = kind_of(key, self._tenant)
        if kind is None:
            return stray(key)
        if size > kind.largest:
            return oversized(key)
        try:
            data = read_whole(self._objects, key, kind.largest)
            self.read_bytes += len(data)
            self._check(key, kind, data)
        except NoSuchObject:
            # Deleted since it was listed; whoever still needs it tells so.
            return None
        except Damaged as damage:
            return damage
        return None

    def _check(self, key: str, kind: ObjectKind, data: bytes) -> None:
        check_form(key, data, self._tenant)
        match kind:
            case ObjectKind.PACK if self._keyring is not None:
                open_pack(self._objects, self._keyring, key, data)
            case ObjectKind.INDEX if self._keyring is not None:
                open_index(self._objects, self._keyring, key)
            case ObjectKind.POINT:
                if self._keyring is not None:
                    read_manifest(key, data, self._keyring)
                self._check_packs(key, data)
            case ObjectKind.KEYRING:
                self._check_keyring(key, data)
            case ObjectKind.MARK:
                _check_mark(key, data)

    def _check_keyring(self, key: str, data: bytes) -> None:
        """One that another repository key has closed is a keyring; one whose place a later one has taken
        and that retention keeps is in nobody's way."""
        try:
            read_canonical(data, most=LARGEST_KEYRING)
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

    def _check_packs(self, key: str, data: bytes) -> None:
        """A pack that went since its point was written is told under the pack's own key."""
        told = dict.fromkeys(packs_told(key, data))
        if self._packs_there.issuperset(told):
            return
        # What was put since they were listed is there, too.
        self._packs_there = self._listed()
        known = self._packs_there | self._missing
        absent = (pack for pack in told if pack not in known)
        for pack in islice(absent, _MOST_MISSING):
            self._missing.add(pack)
            lost = missing(pack_object(self._tenant, pack))
            self._found.append(lost.needed_by(_name_of(key).partition(".")[0]))

    @cached_property
    def _packs_there(self) -> frozenset[bytes]:
        return self._listed()

    def _listed(self) -> frozenset[bytes]:
        return frozenset(id for id, _ in listed_packs(self._objects, self._tenant))

    def _with_points(self) -> Iterator[Damaged]:
        packs = {each.object: pack_in(each.object, self._tenant) for each in self._found}
        damaged = [pack.hex() for pack in packs.values() if pack is not None]
        needed = points_naming(self._objects, self._tenant, damaged) if damaged else {}
        for found in self._found:
            pack = packs[found.object]
            points = [] if pack is None else list(needed[pack.hex()])
            if found.object.startswith(points_prefix(self._tenant)):
                points.append(_name_of(found.object).partition(".")[0])
            told = found
            for point in points:
                told = told.needed_by(point)
            yield told


def _name_of(key: str) -> str:
    return key.rpartition("/")[2]


def _check_mark(key: str, data: bytes) -> None:
    try:
        read_time(read_json(data, most=LARGEST_SMALL).get("since"))
    except ValueError:
        raise malformed(key, "the mark") from None

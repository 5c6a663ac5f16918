"""What a writer relies on without having written it, and the last look before its manifest.

A chunk that is stored already is not written again. That is only safe while its pack stays: a pack
that the collector has condemned, or that is gone, is not relied on. Nobody locks anything, so the marks
are looked at when a writer begins and again right before its manifest. A pack can be deleted only when
it has been marked for the whole grace, so what was not marked at the last look outlives the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from backup.repository.ids import ID_BYTES, ZERO_ID
from backup.repository.index import Index, listed_packs, read_ids
from backup.repository.pack import pack_object
from backup.repository.tree import FANOUT, NodeSource, levels_for
from control_plane.drivers.objects import NoSuchObject, ObjectStore

LOOK_HOLDS = timedelta(hours=1)
"""How long a look at the marks holds: what was there and not marked stays for the collector's grace, which
is longer. So long after its last look a writer may put its manifest."""


def look_holds(looked_at: datetime, now: datetime) -> bool:
    """Not either when the store's clock was set back, by more than its machines' clocks differ: nobody
    knows then how long it was."""
    return -timedelta(minutes=5) <= now - looked_at <= LOOK_HOLDS


def condemned_prefix(tenant: str) -> str:
    return f"condemned/{tenant}/"


def condemned_packs(objects: ObjectStore, tenant: str) -> frozenset[bytes]:
    """Ids of the packs that the collector means to delete."""
    prefix = condemned_prefix(tenant)
    return frozenset(read_ids(fact.key[len(prefix) :] for fact in objects.list(prefix)))


def acted_on(objects: ObjectStore, tenant: str, packs: Iterable[bytes]) -> frozenset[bytes]:
    """Of condemned packs, those that may be deleted within a grace: whose mark is not under retention, which
    no collector's is."""
    now = objects.now()
    found: set[bytes] = set()
    for id in packs:
        with suppress(NoSuchObject):
            held = objects.stat(condemned_prefix(tenant) + id.hex()).locked_until
            if held is not None and held > now:
                continue
        found.add(id)
    return frozenset(found)


class Reliance:
    """For one writer. `base_key` is the manifest of the point it is based on."""

    def __init__(self, objects: ObjectStore, index: Index, base_key: str | None) -> None:
        self._objects = objects
        self._index = index
        self._tenant = index.keyring.tenant
        self._base_key = base_key
        self._began = objects.now()
        self._condemned = condemned_packs(objects, self._tenant)
        self._base_stood = self.base_stands()
        self._sound: dict[bytes, bool] = {}
        self._relied: set[bytes] = set()

    @property
    def base_stood(self) -> bool:
        """Whether the base was there when the writer began."""
        return self._base_stood

    def stored(self, id: bytes) -> bool:
        """Whether the item lies in a pack that may be relied on; from then on it is."""
        for pack in self._index.packs_of(id):
            if self._is_sound(pack):
                self._relied.add(pack)
                return True
        return False

    def wrote(self, pack: bytes) -> None:
        """The writer's own pack: it, too, may be condemned while a long backup runs."""
        self._sound[pack] = True
        self._relied.add(pack)

    def lost(self) -> frozenset[bytes]:
        """The last look: packs that the writer's trees may lead into and that will not stay. Empty is
        the rule; else what lies in them is to be written anew, and looked again."""
        bad = condemned_packs(self._objects, self._tenant)
        if not look_holds(self._began, self._objects.now()):
            there = {id for id, _ in listed_packs(self._objects, self._tenant)}
            bad |= {id for id, _ in self._index.packs() if id not in there}
        if self._base_key is not None and not self.base_stands():
            # What was taken over from the base is unknown: the trees have to be gone through.
            return bad
        return bad if bad & self._relied else frozenset()

    def distrust(self, packs: frozenset[bytes]) -> None:
        """Rely on none of these from now on."""
        self._sound |= dict.fromkeys(packs, False)
        self._relied -= packs

    def _is_sound(self, pack: bytes) -> bool:
        sound = self._sound.get(pack)
        if sound is None:
            sound = pack not in self._condemned and self._is_there(pack)
            self._sound[pack] = sound
        return sound

    def _is_there(self, pack: bytes) -> bool:
        try:
            self._objects.stat(pack_object(self._tenant, pack))
        except NoSuchObject:
            return False
        return True

    def base_stands(self) -> bool:
        """Whether it is there now."""
        if self._base_key is None:
            return False
        try:
            self._objects.stat(self._base_key)
        except NoSuchObject:
            return False
        return True


def in_tree(root: bytes, chunks: int, nodes: NodeSource) -> Iterator[tuple[int, bytes]]:
    """(level, id) of everything below a root, itself included, level 0 being chunks; parents before
    their children, zero ids left out. Raises Damaged."""
    pending = [(levels_for(chunks), root)]
    while pending:
        level, id = pending.pop()
        if id == ZERO_ID:
            continue
        yield level, id
        if level == 0:
            continue
        plain = nodes.node(level, id)
        below = range(0, min(len(plain), FANOUT * ID_BYTES), ID_BYTES)
        pending.extend((level - 1, plain[at : at + ID_BYTES]) for at in reversed(below))

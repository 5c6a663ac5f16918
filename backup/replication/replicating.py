"""Copies recovery points of one tenant into another repository, byte for byte.

Only packs that the other one lacks are sent, then an index of them, and last of all the manifest: until
then the point does not exist there. What was sent before a copy broke off is found there by the next
attempt. Bytes are compared with the hash in their name before they are sent, so that damage never
travels, and what lies there already is believed as a writer believes it: while it is not condemned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from backup.repository import RecoveryPoint, Vault
from backup.repository.errors import altered, missing, overtaken
from backup.repository.ids import object_id
from backup.repository.index import listed_packs
from backup.repository.index_object import ITEMS_PER_INDEX, index_object, seal_index
from backup.repository.items import ItemReader
from backup.repository.keyrings import lock_keys
from backup.repository.pack import PackFacts, pack_object, read_footer
from backup.repository.reach import Reach, Trunk
from backup.repository.reliance import acted_on, condemned_packs, look_holds
from backup.repository.sizes import LARGEST_MANIFEST, read_whole
from backup.repository.tree import chunks_in
from control_plane.drivers.objects import NoSuchObject, ObjectExists

Ask = Callable[[int], None]
"""Comes back once so many bytes may be sent, or raises to give up."""

_ASKED_ONE_BY_ONE = 1000
"""A store lists as many objects in one answer."""


class GaveWay(Exception):
    """Another copy is to run in this one's place. What was sent stays, and isn't sent again."""


@dataclass(frozen=True, slots=True)
class Copied:
    """`sent_bytes` went over the line; `packs` of them in packs that were missing."""

    sent_bytes: int
    packs: int


class Replication:
    """From one vault into another of the same tenant, which has the same keyring. Every method raises
    ObjectStoreError, Damaged of the source (nothing of it is sent), YuiError("backup-overtaken"), and
    whatever `ask` raises."""

    def __init__(
        self,
        source: Vault,
        target: Vault,
        *,
        ask: Ask = lambda _: None,
        ask_for_pack: Ask | None = None,
        look: Callable[[], None] = lambda: None,
        told: Callable[[int, int], None] = lambda _, __: None,
        locked_until: datetime | None = None,
    ) -> None:
        """`told` hears how many bytes of how many have been sent. `ask_for_pack` is asked instead of `ask`
        where a copy may break off without having to send anything again; `look` is called again and again
        while it is found out what is lacking, and may raise as well."""
        if source.keyring.secret_json() != target.keyring.secret_json():
            raise ValueError("the two vaults have different keys")
        self._source = source
        self._target = target
        self._ask = ask
        self._ask_for_pack = ask if ask_for_pack is None else ask_for_pack
        self._look = look
        self._told = told
        self._locked_until = locked_until

    def lacking(self, id: str) -> int:
        """How many bytes copying the point would send, about; 0 where it is there."""
        point = self._source.point(id)
        if self._is_there(point):
            return 0
        lengths = dict(self._source.index.packs())
        needed = self._needed(point, self._base(point))
        return sum(lengths.get(pack, 0) for pack in self._lacking(needed))

    def copy(self, id: str) -> Copied:
        point = self._source.point(id)
        if self._is_there(point):
            return Copied(0, 0)
        self._target.index.refresh()
        base = self._base(point)
        needed = self._needed(point, base)
        if self._condemned(needed):
            # The collector there will have removed them soon; then they are sent again.
            raise overtaken(point.id)
        sent = self._send(needed)
        looked_at = self._target.objects.now()
        if self._condemned(needed) or self._lacking(needed):
            raise overtaken(point.id)
        if base is not None and not self._is_there(base):
            # What the point has in common with it was not looked at.
            raise overtaken(point.id)
        manifest = self._whole(point.key)
        self._ask(len(manifest))
        if not look_holds(looked_at, self._target.objects.now()):
            raise overtaken(point.id)
        if self._locked_until is not None:
            lock_keys(self._target.objects, self._target.keyring, self._locked_until)
        self._put(point.key, manifest)
        return Copied(sent.sent_bytes + len(manifest), sent.packs)

    def _condemned(self, needed: frozenset[bytes]) -> frozenset[bytes]:
        objects, tenant = self._target.objects, self._target.tenant
        return acted_on(objects, tenant, condemned_packs(objects, tenant) & needed)

    def _is_there(self, point: RecoveryPoint) -> bool:
        return any(each.key == point.key for each in self._target.points(point.server))

    def _needed(self, point: RecoveryPoint, base: RecoveryPoint | None) -> frozenset[bytes]:
        """Packs that hold what `base`, which is there already, does not need."""
        index = self._source.index
        index.refresh()
        nodes = ItemReader(self._source.objects, index)
        here = _Stored(self._source)

        def packs_of(id: bytes) -> list[bytes]:
            # An index may still name packs that were collected; what lay in them may lie in others again.
            found = (pack for pack in index.packs_of(id) if here.size(pack) is not None)
            return list(islice(found, 1))

        reach: Reach[None] = Reach(nodes, packs_of, lambda _: True, self._look)
        for trunk in () if base is None else _trunks(base):
            reach.take_as_seen(trunk)
        for trunk in _trunks(point):
            reach.go_through(trunk, None)
        if reach.lacking:
            raise reach.lacking[0]
        return frozenset(reach.live)

    def _base(self, point: RecoveryPoint) -> RecoveryPoint | None:
        here = {each.key for each in self._source.points(point.server)}
        both = [each for each in self._target.points(point.server) if each.key in here]
        earlier = [each for each in both if each.id < point.id]
        nearest = earlier[-1:] or both[:1]
        return self._source.point(nearest[0]) if nearest else None

    def _lacking(self, packs: Iterable[bytes]) -> list[bytes]:
        there = _Stored(self._target)
        return [pack for pack in sorted(packs) if there.size(pack) is None]

    def _send(self, needed: frozenset[bytes]) -> Copied:
        there = _Stored(self._target)
        lacking = frozenset(pack for pack in sorted(needed) if there.size(pack) is None)
        lengths = dict(self._source.index.packs())
        total = sum(lengths.get(pack, 0) for pack in lacking)
        indexed = {id for id, _ in self._target.index.packs()}
        sent = items = 0
        told: list[PackFacts] = []
        for pack in sorted(needed - indexed | lacking):
            key = pack_object(self._target.tenant, pack)
            if pack in lacking:
                data = self._whole(key)
                self._ask_for_pack(len(data))
                self._put(key, data)
                sent += len(data)
                self._told(sent, total)
                length = len(data)
            else:
                length = there.size(pack) or 0
            facts = read_footer(self._source.objects, self._source.keyring, pack, length)
            told.append(facts)
            items += len(facts.footer) // 40
            if items >= ITEMS_PER_INDEX:
                sent += self._publish(told)
                told, items = [], 0
        if told:
            sent += self._publish(told)
        return Copied(sent, len(lacking))

    def _publish(self, packs: list[PackFacts]) -> int:
        id, data = seal_index(packs, self._target.keyring)
        self._ask(len(data))
        self._put(index_object(self._target.tenant, id), data)
        self._target.index.adopt(id, packs)
        return len(data)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._target.objects.put(key, data, only_new=True, locked_until=self._locked_until)
        except ObjectExists:
            # Another copy's, or one that broke off; whether it is whole was not looked at yet.
            if self._target.objects.get(key, length=len(data) + 1) != data:
                self._target.objects.put(key, data, locked_until=self._locked_until)

    def _whole(self, key: str) -> bytes:
        try:
            data = read_whole(self._source.objects, key, LARGEST_MANIFEST)
        except NoSuchObject:
            raise missing(key) from None
        if not key.endswith(object_id(data).hex()):
            raise altered(key)
        return data


@dataclass(slots=True)
class _Stored:
    """Which packs lie in a vault, as of when each was first asked for: a few are asked for one by one, and
    where there are more all are listed, which a copy that goes on time and again could not afford else."""

    vault: Vault
    _sizes: dict[bytes, int | None] = field(default_factory=dict)
    _listed: bool = False

    def size(self, pack: bytes) -> int | None:
        """None: it is not there."""
        if pack not in self._sizes and not self._listed:
            if len(self._sizes) < _ASKED_ONE_BY_ONE:
                self._sizes[pack] = self._asked(pack)
            else:
                self._sizes.update(listed_packs(self.vault.objects, self.vault.tenant))
                self._listed = True
        return self._sizes.get(pack)

    def _asked(self, pack: bytes) -> int | None:
        try:
            return self.vault.objects.stat(pack_object(self.vault.tenant, pack)).size
        except NoSuchObject:
            return None


def _trunks(point: RecoveryPoint) -> list[Trunk]:
    return [
        Trunk(
            point.id,
            f"{point.server}/{disk.name}",
            disk.root,
            chunks_in(disk.size, disk.chunk_bytes),
        )
        for disk in point.disks
    ]

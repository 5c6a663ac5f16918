"""Which recovery points a damaged pack takes with it: all whose trees lead into it, whoever wrote it."""

from __future__ import annotations

from collections.abc import Collection

from backup.repository.errors import Damaged
from backup.repository.ids import ID_BYTES, ZERO_ID
from backup.repository.index import Index
from backup.repository.items import ItemReader
from backup.repository.pack import pack_in
from backup.repository.point import facts_of, points_prefix, read_manifest
from backup.repository.reach import SeenIds
from backup.repository.sizes import LARGEST_MANIFEST, read_whole
from backup.repository.tree import NodeSource, chunks_in, levels_for
from backup.repository.vault import Vault
from control_plane.drivers.objects import NoSuchObject, ObjectStore

_NONE: frozenset[bytes] = frozenset()


def points_needing(
    objects: ObjectStore, index: Index, packs: Collection[bytes]
) -> dict[bytes, list[str]]:
    """The ids of the points that need each of these packs, oldest first. Points whose manifests can't be
    read are left out: they are findings of their own. Raises ObjectStoreError."""
    search = _Search(ItemReader(objects, index), index, frozenset(packs))
    found: dict[bytes, list[str]] = {pack: [] for pack in packs}
    listed = (
        facts_of(each.key, each.size, each.modified)
        for each in objects.list(points_prefix(index.keyring.tenant))
    )
    for facts in sorted((each for each in listed if each), key=lambda each: each.id):
        try:
            point = read_manifest(
                facts.key,
                read_whole(objects, facts.key, LARGEST_MANIFEST, facts.size),
                index.keyring,
            )
        except (Damaged, NoSuchObject):
            continue
        needed = _NONE.union(
            *(
                search.below(levels_for(chunks_in(disk.size, disk.chunk_bytes)), disk.root)
                for disk in point.disks
            )
        )
        for pack in needed:
            found[pack].append(point.id)
    return found


def points_of(vault: Vault, damage: Damaged) -> list[str]:
    """The ids of the points that need the damaged object, also of those that were written later. Raises
    ObjectStoreError."""
    pack = pack_in(damage.object, vault.tenant)
    if pack is None:
        return list(damage.points)
    return points_needing(vault.objects, vault.index, [pack])[pack]


class _Search:
    """Each node is read once; of most only that nothing below it is in question is remembered."""

    def __init__(self, nodes: NodeSource, index: Index, packs: frozenset[bytes]) -> None:
        self._nodes = nodes
        self._index = index
        self._packs = packs
        self._seen = SeenIds()
        self._touched: dict[bytes, frozenset[bytes]] = {}

    def below(self, level: int, id: bytes) -> frozenset[bytes]:
        if id == ZERO_ID:
            return _NONE
        if not self._seen.add(id):
            return self._touched.get(id, _NONE)
        touched = self._packs.intersection(self._index.packs_of(id))
        if level:
            try:
                plain = self._nodes.node(level, id)
            except Damaged:
                plain = b""
            for at in range(0, len(plain), ID_BYTES):
                touched |= self.below(level - 1, plain[at : at + ID_BYTES])
        if touched:
            self._touched[id] = touched
        return touched

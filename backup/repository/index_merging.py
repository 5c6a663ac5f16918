"""Few index objects in place of many small ones: every recovery point writes one, and whoever opens a
repository reads them all.

The merged one is written first; what it replaces is only named here, and deleted by the collector after
the grace, so that whoever is just reading it finds it. Nothing is lost with an index: what none names is
found in the packs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from backup.repository.errors import Damaged
from backup.repository.index import read_ids
from backup.repository.index_object import (
    ITEMS_PER_INDEX,
    index_object,
    indexes_prefix,
    read_index,
    seal_index,
)
from backup.repository.keys import Keyring
from backup.repository.pack import PackFacts
from control_plane.drivers.objects import ObjectExists, ObjectStore

MOST_SMALL = 32
_ITEM_BYTES = 40
_SMALL = ITEMS_PER_INDEX * _ITEM_BYTES // 4


@dataclass(slots=True)
class _Gathered:
    """Index objects that become one, and the packs they name that are there."""

    indexes: list[bytes]
    packs: dict[bytes, PackFacts]
    size: int = 0


class IndexMerging:
    """`check` is called before anything is written, and may raise. `merged` counts new index objects."""

    def __init__(
        self,
        objects: ObjectStore,
        keyring: Keyring,
        check: Callable[[], None],
        *,
        before: datetime,
        condemned: Container[bytes],
    ) -> None:
        """Looks at what was put `before`, for only of that it is known which packs are there, and not at
        what is `condemned` already."""
        self._objects = objects
        self._keyring = keyring
        self._check = check
        self._before = before
        self._condemned = condemned
        self.merged = 0

    def run(self, packs: Container[bytes], *, look_at_all: bool) -> list[bytes]:
        """Merge where there are many small ones; with `look_at_all` also drop those that name nothing that
        is among `packs`. Returns the ids of index objects that are not needed any more. Raises
        ObjectStoreError."""
        listed = list(self._listed())
        small = [id for id, size in listed if size < _SMALL]
        dropped: list[bytes] = []
        if len(small) > MOST_SMALL:
            for gathered in self._gather(small, packs):
                dropped += self._replace(gathered)
        if look_at_all:
            done = set(dropped)
            for id, size in listed:
                self._check()
                read = () if id in done else self._read(id, size)
                if read and not any(pack.id in packs for pack in read):
                    dropped.append(id)
        return dropped

    def _listed(self) -> Iterator[tuple[bytes, int]]:
        """(id, size)."""
        prefix = indexes_prefix(self._keyring.tenant)
        for facts in self._objects.list(prefix):
            for id in read_ids((facts.key[len(prefix) :],)):
                if facts.modified < self._before and id not in self._condemned:
                    yield id, facts.size

    def _gather(self, small: Sequence[bytes], packs: Container[bytes]) -> Iterator[_Gathered]:
        gathered = _Gathered([], {})
        for id in small:
            self._check()
            read = self._read(id, _SMALL)
            if read is None:
                continue
            for pack in read:
                if pack.id in packs and pack.id not in gathered.packs:
                    gathered.packs[pack.id] = pack
                    gathered.size += len(pack.footer)
            gathered.indexes.append(id)
            if gathered.size >= ITEMS_PER_INDEX * _ITEM_BYTES:
                yield gathered
                gathered = _Gathered([], {})
        if len(gathered.indexes) > 1:
            yield gathered

    def _replace(self, gathered: _Gathered) -> list[bytes]:
        if gathered.packs:
            id, data = seal_index(gathered.packs.values(), self._keyring)
            self._check()
            try:
                self._objects.put(index_object(self._keyring.tenant, id), data, only_new=True)
            except ObjectExists:
                return []
            self.merged += 1
        return gathered.indexes

    def _read(self, id: bytes, size: int) -> Sequence[PackFacts] | None:
        """None: it is damaged, and left to be healed."""
        try:
            return read_index(self._objects, self._keyring, id, size)
        except Damaged:
            return None

"""Reads single chunks and nodes, each compared with its id, wherever in the repository it lies."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from backup.repository.errors import Damaged, malformed, missing, unsealed_wrongly
from backup.repository.ids import chunk_id, node_id
from backup.repository.index import Index
from backup.repository.index_run import Place
from backup.repository.keys import Keyring
from backup.repository.pack import pack_object, read_pack_header
from backup.repository.sealed_header import Header
from backup.repository.segment import unseal
from control_plane.drivers.objects import NoSuchObject, ObjectStore

KEPT_BYTES = 12 << 20
_HEADERS_KEPT = 8192


class ItemReader:
    """Safe for several threads. Where an item lies in several packs, the next is taken when one is
    damaged or gone. Every method raises Damaged and ObjectStoreError."""

    def __init__(self, objects: ObjectStore, index: Index, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._objects = objects
        self._index = index
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()
        self._size = 0
        self._headers: OrderedDict[bytes, Header] = OrderedDict()
        self._mutex = threading.Lock()
        self._searched = False

    @property
    def keyring(self) -> Keyring:
        return self._index.keyring

    def node(self, level: int, id: bytes) -> bytes:
        key = self.keyring.node_key
        return self._item(id, lambda plain: node_id(level, plain, key), f"a node of level {level}")

    def chunk(self, id: bytes) -> bytes:
        key = self.keyring.chunk_key
        return self._item(id, lambda plain: chunk_id(plain, key), "a chunk")

    def places(self, id: bytes) -> list[Place]:
        """At least one. What no index names is searched for in the packs, once."""
        found = self._index.find(id)
        if not found and not self._searched:
            self._index.refresh()
            found = self._index.find(id)
            if not found:
                self._searched = True
                self._index.recover()
                found = self._index.find(id)
        if not found:
            raise Damaged(
                f"tenants/{self.keyring.tenant}/packs/",
                f"no pack here holds the item {id.hex()}",
                ja=f"項目 {id.hex()} を含むパックがありません",
            )
        return found

    def segment(self, place: Place) -> bytes:
        """The plaintext of the segment that the item lies in."""
        name = (place.pack, place.segment)
        with self._mutex:
            plain = self._kept.get(name)
            if plain is not None:
                self._kept.move_to_end(name)
                return plain
        plain = self.open_segment(place, self.range(place, place.sealed_length))
        self._keep(name, plain)
        return plain

    def range(self, place: Place, length: int) -> bytes:
        """So many sealed bytes from the place's segment on."""
        key = pack_object(self.keyring.tenant, place.pack)
        try:
            return self._objects.get(key, start=place.offset, length=length)
        except NoSuchObject:
            raise missing(key) from None

    def open_segment(self, place: Place, sealed: bytes | memoryview) -> bytes:
        """The plaintext from a segment's bytes as they lie in the pack."""
        key = pack_object(self.keyring.tenant, place.pack)
        if len(sealed) != place.sealed_length:
            raise malformed(key, "the object's length")
        header = self._header(place.pack)
        try:
            return unseal(
                sealed,
                place.plain_length,
                aead=header.aead,
                salt=header.salt,
                number=place.segment,
                kind=place.kind,
                compression=place.compression,
            )
        except ValueError:
            raise unsealed_wrongly(key, f"segment {place.segment}") from None

    def _item(self, id: bytes, of: Callable[[bytes], bytes], what: str) -> bytes:
        first: Damaged | None = None
        for place in self.places(id):
            try:
                plain = self.segment(place)
            except Damaged as error:
                first = first or error
                continue
            item = plain[place.item_offset : place.item_offset + place.item_length]
            if of(item) == id:
                return item
            first = first or not_as_named(self.keyring.tenant, place, what)
        if first is None:
            raise LookupError(id.hex())
        raise first

    def _header(self, pack: bytes) -> Header:
        with self._mutex:
            header = self._headers.get(pack)
        if header is None:
            header = read_pack_header(self._objects, self.keyring, pack)
            with self._mutex:
                self._headers[pack] = header
                if len(self._headers) > _HEADERS_KEPT:
                    self._headers.popitem(last=False)
        return header

    def _keep(self, name: tuple[bytes, int], plain: bytes) -> None:
        with self._mutex:
            if name in self._kept:
                return
            self._kept[name] = plain
            self._size += len(plain)
            while self._size > self._kept_bytes and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])


def not_as_named(tenant: str, place: Place, what: str) -> Damaged:
    return Damaged(
        pack_object(tenant, place.pack),
        f"{what} in segment {place.segment} does not agree with its id",
        ja=f"セグメント {place.segment} の内容が識別子と一致しません",
    )

"""Packs: about 16 MiB of sealed segments with a footer that tells where each item lies.

A pack is named by the hash of its sealed bytes. Each has a key of its own, from a random salt, so
that segments' nonces can be counted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import zstandard
from cryptography.exceptions import InvalidTag

from backup.repository.errors import altered, malformed, missing, unsealed_wrongly
from backup.repository.ids import object_id, read_id
from backup.repository.keys import Keyring
from backup.repository.sealed_header import (
    HEADER_BYTES,
    PACK_MAGIC,
    Header,
    new_header,
    read_header,
)
from backup.repository.segment import (
    MOST_ITEMS,
    PLAIN_LIMIT,
    TAG_BYTES,
    Compression,
    Kind,
    decompress,
    seal_into,
)
from backup.repository.sizes import LARGEST_FOOTER, LARGEST_PACK
from control_plane.drivers.objects import NoSuchObject, ObjectStore

PACK_TARGET = 16 << 20
TRAILER_BYTES = 16
PACK_ROOM = PACK_TARGET + 2 * PLAIN_LIMIT
_TRAILER = struct.Struct(">Q8s")
_TRAILER_MAGIC = b"YUIPEND\x01"
_SEGMENT = struct.Struct(">BBHQII")
_ITEM = struct.Struct(">32sII")
_COUNT = struct.Struct(">I")
_FOOTER_NONCE = b"\xff" * 4 + bytes(8)
_FOOTER_TARGET = 4 << 20
"""Of items that compress so well that thousands of segments fit into a pack."""


def packs_prefix(tenant: str) -> str:
    return f"tenants/{tenant}/packs/"


def pack_object(tenant: str, id: bytes) -> str:
    name = id.hex()
    return f"{packs_prefix(tenant)}{name[:2]}/{name}"


def pack_in(key: str, tenant: str) -> bytes | None:
    """The id of the pack whose key that is; None: no pack has such a key."""
    try:
        id = read_id(key.rpartition("/")[2])
    except ValueError:
        return None
    return id if key == pack_object(tenant, id) else None


@dataclass(frozen=True, slots=True)
class PackFacts:
    """A pack that is stored, and its footer's plaintext."""

    id: bytes
    length: int
    footer: bytes


@dataclass(frozen=True, slots=True)
class FooterSegment:
    """`items` is `count` times (id, u32 offset in the plaintext, u32 length), as in the footer."""

    number: int
    kind: Kind
    compression: Compression
    offset: int
    sealed_length: int
    plain_length: int
    count: int
    items: bytes

    def each(self) -> Iterator[tuple[bytes, int, int]]:
        """(id, offset in the segment's plaintext, length) of each item."""
        return _ITEM.iter_unpack(self.items)


class PackBuilder:
    """Collects segments of one pack in `buffer`, which is PACK_ROOM long and free again when the pack is
    finished; not for several threads."""

    def __init__(self, keyring: Keyring, buffer: bytearray) -> None:
        packed, self._header = new_header(PACK_MAGIC, keyring)
        self._view = memoryview(buffer)
        self._view[:HEADER_BYTES] = packed
        self.length = HEADER_BYTES
        self._segments = 0
        self._footer = bytearray(_COUNT.size)

    def add(
        self,
        kind: Kind,
        compression: Compression,
        body: bytes | bytearray,
        plain_length: int,
        items: Sequence[tuple[bytes, int]],
    ) -> None:
        """`items`: id and length of each, in the order in which they lie in the plaintext."""
        sealed_length = len(body) + TAG_BYTES
        seal_into(
            self._view[self.length : self.length + sealed_length],
            body,
            aead=self._header.aead,
            salt=self._header.salt,
            number=self._segments,
            kind=kind,
            compression=compression,
        )
        self._footer += _SEGMENT.pack(
            kind, compression, len(items), self.length, sealed_length, plain_length
        )
        at = 0
        for id, length in items:
            self._footer += _ITEM.pack(id, at, length)
            at += length
        self.length += sealed_length
        self._segments += 1

    @property
    def full(self) -> bool:
        return self.length >= PACK_TARGET or len(self._footer) >= _FOOTER_TARGET

    def finish(self) -> tuple[bytes, PackFacts]:
        """The whole object, and its facts. The builder is done with."""
        _COUNT.pack_into(self._footer, 0, self._segments)
        footer = bytes(self._footer)
        sealed = self._header.aead.encrypt(
            _FOOTER_NONCE,
            zstandard.ZstdCompressor(level=3).compress(footer),
            self._header.salt + b"footer",
        )
        data = b"".join(
            (self._view[: self.length], sealed, _TRAILER.pack(len(sealed), _TRAILER_MAGIC))
        )
        self._view.release()
        return data, PackFacts(object_id(data), len(data), footer)


def read_footer(objects: ObjectStore, keyring: Keyring, id: bytes, length: int) -> PackFacts:
    """A pack's facts from the pack itself, without its segments. `length` as a listing tells it.
    Raises Damaged."""
    key = pack_object(keyring.tenant, id)
    if not HEADER_BYTES + TRAILER_BYTES <= length <= LARGEST_PACK:
        raise malformed(key, "the pack's length")
    try:
        head = objects.get(key, length=HEADER_BYTES)
        footer_length, magic = _TRAILER.unpack(
            _exactly(objects, key, length - TRAILER_BYTES, TRAILER_BYTES)
        )
        footer_at = length - TRAILER_BYTES - footer_length
        if (
            magic != _TRAILER_MAGIC
            or footer_at < HEADER_BYTES
            or not TAG_BYTES < footer_length <= LARGEST_FOOTER
        ):
            raise malformed(key, "the pack's end")
        sealed = _exactly(objects, key, footer_at, footer_length)
    except NoSuchObject:
        raise missing(key) from None
    return PackFacts(id, length, _open_footer(key, _header(key, head, keyring), sealed, footer_at))


def check_pack(key: str, data: bytes) -> None:
    """Whether a pack's bytes, or an index's, agree with its name; needs no key. Raises Damaged."""
    if object_id(data).hex() != key.rpartition("/")[2]:
        raise altered(key)


def read_pack_header(objects: ObjectStore, keyring: Keyring, id: bytes) -> Header:
    """Raises Damaged."""
    key = pack_object(keyring.tenant, id)
    try:
        return _header(key, objects.get(key, length=HEADER_BYTES), keyring)
    except NoSuchObject:
        raise missing(key) from None


def parse_footer(footer: bytes, segments_end: int) -> list[FooterSegment]:
    """Raises ValueError for what a writer would not have written; `segments_end` is the offset in
    the pack at which its segments end at the latest."""
    found: list[FooterSegment] = []
    try:
        (count,) = _COUNT.unpack_from(footer)
        at = _COUNT.size
        for number in range(count):
            kind, compression, items, offset, sealed, plain = _SEGMENT.unpack_from(footer, at)
            at += _SEGMENT.size
            raw = footer[at : at + items * _ITEM.size]
            at += items * _ITEM.size
            if (
                len(raw) != items * _ITEM.size
                or not 0 < items <= MOST_ITEMS
                or offset < HEADER_BYTES
                or not TAG_BYTES < sealed <= PLAIN_LIMIT + TAG_BYTES
                or plain > PLAIN_LIMIT
                or offset + sealed > segments_end
            ):
                raise ValueError("not a footer")
            found.append(
                FooterSegment(
                    number, Kind(kind), Compression(compression), offset, sealed, plain, items, raw
                )
            )
    except struct.error:
        raise ValueError("not a footer") from None
    if at != len(footer):
        raise ValueError("not a footer")
    return found


def _header(key: str, data: bytes, keyring: Keyring) -> Header:
    try:
        return read_header(PACK_MAGIC, data, keyring)
    except ValueError:
        raise malformed(key, "the header") from None


def _open_footer(key: str, header: Header, sealed: bytes, segments_end: int) -> bytes:
    try:
        footer = decompress(
            header.aead.decrypt(_FOOTER_NONCE, sealed, header.salt + b"footer"), LARGEST_FOOTER
        )
    except InvalidTag:
        raise unsealed_wrongly(key, "the footer") from None
    except ValueError:
        raise malformed(key, "the footer") from None
    try:
        parse_footer(footer, segments_end)
    except ValueError:
        raise malformed(key, "the footer") from None
    return footer


def _exactly(objects: ObjectStore, key: str, start: int, length: int) -> bytes:
    data = objects.get(key, start=start, length=length)
    if len(data) != length:
        raise malformed(key, "the object's length")
    return data

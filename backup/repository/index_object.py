"""Index objects: what the footers of many packs say, in one read. They only save time: all of it
stands in the packs too."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import zstandard
from cryptography.exceptions import InvalidTag

from backup.repository.errors import altered, malformed, missing, unsealed_wrongly
from backup.repository.ids import object_id
from backup.repository.keys import Keyring
from backup.repository.pack import PackFacts, parse_footer
from backup.repository.sealed_header import HEADER_BYTES, INDEX_MAGIC, new_header, read_header
from backup.repository.segment import decompress
from backup.repository.sizes import LARGEST_INDEX, read_whole
from control_plane.drivers.objects import NoSuchObject, ObjectStore

_NONCE = bytes(12)
_COUNT = struct.Struct(">I")
_PACK = struct.Struct(">32sI")
ITEMS_PER_INDEX = 1 << 16
"""A writer begins another index object after so many items, which bounds what it keeps in memory;
whoever merges indexes should keep to about as many."""


def indexes_prefix(tenant: str) -> str:
    return f"tenants/{tenant}/index/"


def index_object(tenant: str, id: bytes) -> str:
    return f"{indexes_prefix(tenant)}{id.hex()}"


def seal_index(packs: Iterable[PackFacts], keyring: Keyring) -> tuple[bytes, bytes]:
    """(id, the whole object)."""
    payload = bytearray(_COUNT.size)
    count = 0
    for pack in packs:
        payload += _PACK.pack(pack.id, pack.length)
        payload += pack.footer
        count += 1
    _COUNT.pack_into(payload, 0, count)
    packed, header = new_header(INDEX_MAGIC, keyring)
    sealed = header.aead.encrypt(
        _NONCE, zstandard.ZstdCompressor(level=3).compress(payload), header.salt + b"index"
    )
    data = packed + sealed
    return object_id(data), data


def read_index(objects: ObjectStore, keyring: Keyring, id: bytes, size: int = 0) -> list[PackFacts]:
    """`size` as a listing tells it. Raises Damaged."""
    key = index_object(keyring.tenant, id)
    try:
        data = read_whole(objects, key, LARGEST_INDEX, size)
    except NoSuchObject:
        raise missing(key) from None
    if object_id(data) != id:
        raise altered(key)
    try:
        header = read_header(INDEX_MAGIC, data, keyring)
    except ValueError:
        raise malformed(key, "the header") from None
    try:
        payload = decompress(
            header.aead.decrypt(_NONCE, data[HEADER_BYTES:], header.salt + b"index"),
            LARGEST_INDEX,
        )
        return _packs(payload)
    except InvalidTag:
        raise unsealed_wrongly(key, "the payload") from None
    except (ValueError, struct.error):
        raise malformed(key, "the payload") from None


def _packs(payload: bytes) -> list[PackFacts]:
    (count,) = _COUNT.unpack_from(payload)
    at = _COUNT.size
    found: list[PackFacts] = []
    for _ in range(count):
        id, length = _PACK.unpack_from(payload, at)
        at += _PACK.size
        end = at + _footer_length(payload, at)
        found.append(PackFacts(id, length, payload[at:end]))
        at = end
    if at != len(payload):
        raise ValueError("more than the packs told")
    for pack in found:
        parse_footer(pack.footer, pack.length)
    return found


_SEGMENT_COUNT_AT = struct.Struct(">BBH")
_SEGMENT_BYTES, _ITEM_BYTES = 20, 40


def _footer_length(payload: bytes, start: int) -> int:
    """How long the footer is that begins at `start`: footers tell their counts, not their length."""
    (segments,) = _COUNT.unpack_from(payload, start)
    at = start + _COUNT.size
    for _ in range(segments):
        items = _SEGMENT_COUNT_AT.unpack_from(payload, at)[2]
        at += _SEGMENT_BYTES + items * _ITEM_BYTES
    return at - start

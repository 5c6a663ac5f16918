"""Opening all of an object, to see that each piece in it is what its id says."""

from __future__ import annotations

from backup.repository.errors import malformed, unsealed_wrongly
from backup.repository.ids import chunk_id, node_id, read_id
from backup.repository.index_object import read_index
from backup.repository.keys import Keyring
from backup.repository.pack import (
    FooterSegment,
    PackFacts,
    parse_footer,
    read_footer,
    read_pack_header,
)
from backup.repository.segment import Kind, unseal
from control_plane.drivers.objects import ObjectStore

_HIGHEST_LEVEL = 8
"""Of a tree over 2**64 bytes in chunks of one byte."""


def open_pack(objects: ObjectStore, keyring: Keyring, key: str, data: bytes) -> PackFacts:
    """A pack whose bytes are at hand: every segment opens, every piece agrees with its id. Returns what
    its footer says. Raises Damaged."""
    id = read_id(key.rpartition("/")[2])
    facts = read_footer(objects, keyring, id, len(data))
    header = read_pack_header(objects, keyring, id)
    for segment in parse_footer(facts.footer, len(data)):
        end = segment.offset + segment.sealed_length
        try:
            plain = unseal(
                memoryview(data)[segment.offset : end],
                segment.plain_length,
                aead=header.aead,
                salt=header.salt,
                number=segment.number,
                kind=segment.kind,
                compression=segment.compression,
            )
        except ValueError:
            raise unsealed_wrongly(key, f"segment {segment.number}") from None
        _check_items(key, segment, plain, keyring)
    return facts


def open_index(objects: ObjectStore, keyring: Keyring, key: str) -> list[PackFacts]:
    """Raises Damaged."""
    return read_index(objects, keyring, read_id(key.rpartition("/")[2]))


def _check_items(key: str, segment: FooterSegment, plain: bytes, keyring: Keyring) -> None:
    for id, start, length in segment.each():
        piece = plain[start : start + length]
        if len(piece) != length:
            raise malformed(key, f"segment {segment.number}")
        if segment.kind == Kind.CHUNKS:
            right = chunk_id(piece, keyring.chunk_key) == id
        else:
            # A footer tells no level; the tree that leads to the node does.
            right = any(
                node_id(level, piece, keyring.node_key) == id
                for level in range(1, _HIGHEST_LEVEL + 1)
            )
        if not right:
            raise unsealed_wrongly(key, f"segment {segment.number}, {id.hex()}")

"""Names that come from contents: equal contents have equal ids, and only within one tenant."""

from __future__ import annotations

import re
from functools import lru_cache

from blake3 import blake3

ID_BYTES = 32
_HEX = re.compile(r"[0-9a-f]{64}")
ZERO_ID = bytes(ID_BYTES)
"""Of a chunk of zeros, or a node with nothing but such below it. Never stored."""


def chunk_id(data: bytes | memoryview, chunk_key: bytes) -> bytes:
    """Of data that is not zeros only."""
    return blake3(data, key=chunk_key).digest()


def node_id(level: int, plain: bytes | bytearray, node_key: bytes) -> bytes:
    """`level` 1 is a leaf. `plain` is the children's ids, not all zero."""
    return blake3(bytes((level,)), key=node_key).update(plain).digest()


def object_id(data: bytes | bytearray | memoryview) -> bytes:
    """What a pack, an index or a recovery point is named by; whoever has no key can check it."""
    return blake3(data).digest()


def read_id(text: object) -> bytes:
    """From the one way to write it: 64 lower-case hexadecimal digits. Raises ValueError."""
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise ValueError("not an id")
    return bytes.fromhex(text)


@lru_cache(maxsize=8)
def zeros(length: int) -> bytes:
    """Kept, to compare with; for lengths of chunks and nodes only."""
    return bytes(length)

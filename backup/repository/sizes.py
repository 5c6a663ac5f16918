"""How large each object may be (docs/repository-format.md, "Sizes"): generously more than any that is
written, so that what is larger is none of them, whatever it holds, and nobody's memory is filled with it.
"""

from __future__ import annotations

from backup.repository.errors import oversized
from control_plane.drivers.objects import ObjectStore

LARGEST_FOOTER = 64 << 20
"""Of a pack, as plaintext. A writer ends a pack long before."""
LARGEST_PACK = 96 << 20
LARGEST_INDEX = 96 << 20
"""Sealed or not."""
LARGEST_MANIFEST = 256 << 20
"""It names the packs that were written for its point, in 67 bytes each."""
MOST_PACKS = (LARGEST_MANIFEST - (16 << 20)) // 67
"""Of one point: about 57 TiB that are new and can't be compressed."""
LARGEST_KEYRING = 1 << 20
LARGEST_SMALL = 64 << 10
"""`repository.json`, and a mark."""


def read_whole(objects: ObjectStore, key: str, most: int, size: int = 0) -> bytes:
    """`size` as a listing tells it. Raises Damaged where it is larger, NoSuchObject, ObjectStoreError."""
    if size > most:
        raise oversized(key)
    data = objects.get(key, length=most + 1)
    if len(data) > most:
        raise oversized(key)
    return data

"""What an object is, as its key tells: whatever else lies in a repository was put there by somebody else,
and is passed over by all but those who look for damage."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum

from backup.repository.errors import formless
from backup.repository.ids import read_id
from backup.repository.index_object import indexes_prefix
from backup.repository.keys import generation_of, keyring_object
from backup.repository.pack import check_pack, pack_in
from backup.repository.point import facts_of, packs_told, points_prefix
from backup.repository.reliance import condemned_prefix
from backup.repository.sealed_header import INDEX_MAGIC, PACK_MAGIC, check_header
from backup.repository.sizes import (
    LARGEST_INDEX,
    LARGEST_KEYRING,
    LARGEST_MANIFEST,
    LARGEST_PACK,
    LARGEST_SMALL,
)

_ANY = datetime.min.replace(tzinfo=UTC)


class ObjectKind(Enum):
    """The value is the most bytes that one has."""

    PACK = "pack", LARGEST_PACK
    INDEX = "index", LARGEST_INDEX
    POINT = "point", LARGEST_MANIFEST
    KEYRING = "keyring", LARGEST_KEYRING
    MARK = "mark", LARGEST_SMALL

    @property
    def largest(self) -> int:
        """In bytes."""
        return self.value[1]


def check_form(key: str, data: bytes, tenant: str) -> None:
    """Of a pack, an index or a manifest, what anybody can see: that its bytes agree with its name, and that
    they are of the form. Raises Damaged, and Stray where they are what was put under that name and none."""
    kind = kind_of(key, tenant)
    if kind is ObjectKind.POINT:
        packs_told(key, data)
    elif kind in (ObjectKind.PACK, ObjectKind.INDEX):
        check_pack(key, data)
        magic = PACK_MAGIC if kind is ObjectKind.PACK else INDEX_MAGIC
        try:
            check_header(magic, data, tenant)
        except ValueError:
            raise formless(key, "a pack or an index") from None


def kind_of(key: str, tenant: str) -> ObjectKind | None:
    """None: no writer gives an object of the tenant's such a key."""
    name = key.rpartition("/")[2]
    generation = generation_of(key)
    if generation is not None and key == keyring_object(tenant, generation):
        return ObjectKind.KEYRING
    if key.startswith(points_prefix(tenant)):
        return None if facts_of(key, 0, _ANY) is None else ObjectKind.POINT
    if pack_in(key, tenant) is not None:
        return ObjectKind.PACK
    try:
        read_id(name)
    except ValueError:
        return None
    return {
        indexes_prefix(tenant) + name: ObjectKind.INDEX,
        condemned_prefix(tenant) + name: ObjectKind.MARK,
    }.get(key)

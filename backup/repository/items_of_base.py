"""Reads what a writer takes over from the point that it is based on, which may be forgotten while it writes: that its
packs go then is no damage, and the writer is told to begin again.
"""

from __future__ import annotations

from collections.abc import Callable

from backup.repository.errors import Damaged, overtaken
from backup.repository.index import Index
from backup.repository.items import ItemReader
from backup.repository.reliance import Reliance
from control_plane.drivers.objects import ObjectStore


class ItemsOfBase(ItemReader):
    """For the writer of `point`. Raises `backup-overtaken` where an item is not there and the base is not either."""

    def __init__(self, objects: ObjectStore, index: Index, reliance: Reliance, point: str) -> None:
        super().__init__(objects, index)
        self._reliance = reliance
        self._point = point

    def chunk(self, id: bytes) -> bytes:
        return self._unless_forgotten(lambda: super(ItemsOfBase, self).chunk(id))

    def node(self, level: int, id: bytes) -> bytes:
        return self._unless_forgotten(lambda: super(ItemsOfBase, self).node(level, id))

    def _unless_forgotten(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except Damaged:
            if self._reliance.base_stands():
                raise
            raise overtaken(self._point) from None

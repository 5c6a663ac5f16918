"""Which packs recovery points need: every tree is gone through, and what several share only once.

A node that was seen is not read again, and a tree is compared with the one that the same disk had in the
point before it, so that a thousand points of a slowly changing disk cost little more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from backup.repository.errors import Damaged, missing
from backup.repository.ids import ID_BYTES, ZERO_ID
from backup.repository.tree import NodeSource, levels_for

_Worth = TypeVar("_Worth")
_KEPT = 16
"""Bytes of an id that are remembered: two of a tenant's ids never agree in so many by chance, and
nobody without the keys can choose them."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """One disk's tree in one recovery point. `disk` is the same for the same disk in all points."""

    point: str
    disk: str
    root: bytes
    chunks: int


class SeenIds:
    """A set of ids in 16 to 40 bytes each; an id of a node stands for 16 MiB of a disk."""

    def __init__(self) -> None:
        self._slots = bytearray(_KEPT << 10)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, id: bytes) -> bool:
        """Whether it is new."""
        if self._count * 3 > len(self._slots) // _KEPT * 2:
            self._grow()
        return self._put(id[:_KEPT])

    def _put(self, kept: bytes) -> bool:
        slots = len(self._slots) // _KEPT
        at = int.from_bytes(kept[:8], "big") % slots
        while True:
            held = self._slots[at * _KEPT : (at + 1) * _KEPT]
            if held == kept:
                return False
            if not any(held):
                self._slots[at * _KEPT : (at + 1) * _KEPT] = kept
                self._count += 1
                return True
            at = (at + 1) % slots

    def _grow(self) -> None:
        before = self._slots
        self._slots = bytearray(len(before) * 2)
        self._count = 0
        for at in range(0, len(before), _KEPT):
            kept = bytes(before[at : at + _KEPT])
            if any(kept):
                self._put(kept)


class Reach(Generic[_Worth]):
    """`live` tells of each pack that is needed what the first tree that needs it was worth: trees that
    are worth more are to be gone through first. `lacking` is what no pack has, or none that can be read."""

    def __init__(
        self,
        nodes: NodeSource,
        packs_of: Callable[[bytes], Iterable[bytes]],
        there: Callable[[bytes], bool],
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        """`there` tells whether a pack exists; `pulse` is called again and again and may raise."""
        self._nodes = nodes
        self._packs_of = packs_of
        self._there = there
        self._pulse = pulse
        self._seen = SeenIds()
        self._before: dict[tuple[str, int], bytes] = {}
        self.live: dict[bytes, _Worth] = {}
        self.lacking: list[Damaged] = []

    def take_as_seen(self, trunk: Trunk) -> None:
        """Trees of the same disk are gone through only where they differ from this one; whoever asks
        knows what it needs by other means."""
        self._before[trunk.disk, levels_for(trunk.chunks)] = trunk.root

    def go_through(self, trunk: Trunk, worth: _Worth) -> None:
        """Raises ObjectStoreError, and whatever `pulse` raises."""
        level = levels_for(trunk.chunks)
        before = self._before.get((trunk.disk, level), ZERO_ID)
        lacking = len(self.lacking)
        self._node(level, trunk.root, before, trunk.point, worth)
        if lacking == len(self.lacking):
            self._before[trunk.disk, level] = trunk.root

    def _node(self, level: int, id: bytes, before: bytes, point: str, worth: _Worth) -> None:
        if id in (ZERO_ID, before) or not self._seen.add(id):
            return
        self._pulse()
        if not self._need(id, point, worth, "node"):
            return
        children = self._read(level, id, point)
        if children is None:
            return
        old = b"" if before == ZERO_ID else self._read(level, before, None) or b""
        for at in range(0, len(children), ID_BYTES):
            child, was = children[at : at + ID_BYTES], old[at : at + ID_BYTES] or ZERO_ID
            if level > 1:
                self._node(level - 1, child, was, point, worth)
            elif child not in (ZERO_ID, was):
                self._need(child, point, worth, "chunk")

    def _need(self, id: bytes, point: str, worth: _Worth, what: str) -> bool:
        found = False
        for pack in self._packs_of(id):
            if self._there(pack):
                found = True
                self.live.setdefault(pack, worth)
        if not found:
            self.lacking.append(missing(f"{what} {id.hex()}").needed_by(point))
        return found

    def _read(self, level: int, id: bytes, point: str | None) -> bytes | None:
        try:
            return self._nodes.node(level, id)
        except Damaged as damage:
            if point is not None:
                self.lacking.append(damage.needed_by(point))
            return None

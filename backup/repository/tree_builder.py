"""Builds a disk's tree from front to back, while its chunks come in.

What is not told is as in the base, or zero without one: whole subtrees are taken over by their ids,
so that an increment costs what changed and a sparse disk costs what it holds.
"""

from __future__ import annotations

from typing import Protocol

from backup.repository.ids import ID_BYTES, ZERO_ID, node_id, zeros
from backup.repository.tree import FANOUT, NODE_BYTES, Tree, levels_for, span_of


class NodeSink(Protocol):
    def put_node(self, id: bytes, plain: bytes) -> None:
        """Store it unless it is stored."""
        ...


class TreeBuilder:
    """`chunks` is the new disk's number of chunks; the base may have more or fewer."""

    def __init__(self, chunks: int, node_key: bytes, sink: NodeSink, base: Tree | None) -> None:
        self.chunks = chunks
        self.next = 0
        """The first chunk that is not told yet."""
        self.levels = levels_for(chunks)
        self._node_key = node_key
        self._sink = sink
        self._base = base
        self._open = [bytearray() for _ in range(self.levels + 1)]
        """By level, the ids of the children that the level's unfinished node has so far."""
        self._closed = [0] * (self.levels + 1)
        self._root: bytes | None = ZERO_ID if chunks == 0 else None

    def append(self, ids: bytes | bytearray) -> None:
        """The next chunks' ids, one after another."""
        at = 0
        while at < len(ids):
            held = self._open[1]
            taken = min(NODE_BYTES - len(held), len(ids) - at)
            held += ids[at : at + taken]
            at += taken
            self.next += taken // ID_BYTES
            if len(held) == NODE_BYTES:
                self._close(1)

    def keep(self, end: int) -> None:
        """Chunks up to `end` are as in the base. Raises Damaged."""
        while self.next < end:
            level = self._widest(end, as_base=True)
            self._append_subtrees(level, self._count(level, end, as_base=True), as_base=True)

    def zero(self, end: int) -> None:
        """Chunks up to `end` are zeros."""
        while self.next < end:
            level = self._widest(end, as_base=False)
            self._append_subtrees(level, self._count(level, end, as_base=False), as_base=False)

    def finish(self) -> bytes:
        """The root's id, once every chunk was told."""
        for level in range(1, self.levels + 1):
            if self._root is None and self._open[level]:
                self._close(level)
        if self._root is None:
            raise ValueError("not every chunk was told")
        return self._root

    def _widest(self, end: int, *, as_base: bool) -> int:
        """The highest level at which a subtree begins at `next` and ends by `end`."""
        level = 0
        while level < self.levels and self._fits(level + 1, end, as_base=as_base):
            level += 1
        return level

    def _fits(self, level: int, end: int, *, as_base: bool) -> bool:
        span = span_of(level)
        if self.next % span or (self.next + span > end and end != self.chunks):
            return False
        if not as_base or self._base is None or self.next >= self._base.chunks:
            return True
        covered = min(span, self.chunks - self.next)
        return level <= self._base.levels and covered == self._base.covers(level, self.next // span)

    def _count(self, level: int, end: int, *, as_base: bool) -> int:
        """How many whole subtrees of that level can follow each other at once: within one parent, and
        for the base's sake all within the base or all beyond it."""
        span = span_of(level)
        if level == self.levels:
            return 1
        room = (NODE_BYTES - len(self._open[level + 1])) // ID_BYTES
        if as_base and self._base is not None and self.next < self._base.chunks:
            end = min(end, self._base.chunks)
        return max(1, min(room, (end - self.next) // span))

    def _append_subtrees(self, level: int, count: int, *, as_base: bool) -> None:
        span = span_of(level)
        base = self._base if as_base else None
        position = self.next // span
        if base is None or self.next >= base.chunks:
            ids = zeros(count * ID_BYTES) if count == FANOUT else bytes(count * ID_BYTES)
        elif level == base.levels:
            ids = base.root
        else:
            child = position % FANOUT
            ids = base.children(level + 1, position // FANOUT)[
                child * ID_BYTES : (child + count) * ID_BYTES
            ]
        if level == 0:
            self.append(ids)
            return
        self.next = min(self.chunks, self.next + count * span)
        self._closed[level] += count
        self._add_to_parent(level, ids)

    def _add_to_parent(self, level: int, ids: bytes) -> None:
        if level == self.levels:
            self._root = ids
            return
        held = self._open[level + 1]
        held += ids
        if len(held) == NODE_BYTES:
            self._close(level + 1)

    def _close(self, level: int) -> None:
        plain = bytes(self._open[level])
        self._open[level].clear()
        position = self._closed[level]
        self._closed[level] += 1
        if plain == zeros(len(plain)):
            self._add_to_parent(level, ZERO_ID)
            return
        id = node_id(level, plain, self._node_key)
        if not self._is_in_base(level, position, id):
            self._sink.put_node(id, plain)
        self._add_to_parent(level, id)

    def _is_in_base(self, level: int, position: int, id: bytes) -> bool:
        base = self._base
        if base is None or level > base.levels or not base.covers(level, position):
            return False
        return base.id(level, position) == id

"""Trees over disks: 256 children a node, so that a change of one chunk writes one node a level, and
two trees are compared by looking only where they differ.

Everything here counts in chunks; (level, position) names a node, level 0 being the chunks themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from backup.repository.errors import Damaged
from backup.repository.ids import ID_BYTES, ZERO_ID, zeros

FANOUT = 256
NODE_BYTES = FANOUT * ID_BYTES


class NodeSource(Protocol):
    def node(self, level: int, id: bytes) -> bytes:
        """A node's plaintext, compared with its id. Raises Damaged."""
        ...


def span_of(level: int) -> int:
    """How many chunks a full node of that level covers."""
    return 1 << (8 * level)


def levels_for(chunks: int) -> int:
    levels = 1
    while chunks > span_of(levels):
        levels += 1
    return levels


def chunks_in(size: int, chunk_bytes: int) -> int:
    return -(-size // chunk_bytes)


class Tree:
    """Reads one tree. Keeps one node per level, so that going through it in order reads each once."""

    def __init__(self, root: bytes, chunks: int, nodes: NodeSource) -> None:
        self.root = root
        self.chunks = chunks
        self.levels = levels_for(chunks)
        self._nodes = nodes
        self._held: dict[int, tuple[int, bytes]] = {}

    def covers(self, level: int, position: int) -> int:
        """How many chunks lie below (level, position); 0 beyond the end."""
        span = span_of(level)
        return max(0, min(span, self.chunks - position * span))

    def id(self, level: int, position: int) -> bytes:
        """The id at (level, position), which lies within the tree. Raises Damaged."""
        if level == self.levels:
            return self.root
        parent, child = divmod(position, FANOUT)
        return self.children(level + 1, parent)[child * ID_BYTES : (child + 1) * ID_BYTES]

    def children(self, level: int, position: int) -> bytes:
        """The ids of the children of the node at (level, position). Raises Damaged."""
        held = self._held.get(level)
        if held is not None and held[0] == position:
            return held[1]
        id = self.id(level, position)
        below = -(-self.covers(level, position) // FANOUT ** (level - 1)) * ID_BYTES
        plain = zeros(below) if id == ZERO_ID else self._nodes.node(level, id)
        if len(plain) != below:
            raise Damaged(
                f"node {id.hex()}",
                f"it has not as many children as its place at level {level} asks for",
                ja="子の数が位置と合いません",
            )
        self._held[level] = (position, plain)
        return plain

    def chunk_ids(self, first: int, count: int) -> bytes:
        """`count` chunk ids from `first` on; zero ids beyond the end. Raises Damaged."""
        parts: list[bytes] = []
        end = min(first + count, self.chunks)
        at = first
        while at < end:
            leaf, child = divmod(at, FANOUT)
            upto = min(end, (leaf + 1) * FANOUT)
            ids = self.children(1, leaf)
            parts.append(ids[child * ID_BYTES : (child + upto - at) * ID_BYTES])
            at = upto
        missing = first + count - max(end, first)
        if missing:
            parts.append(bytes(missing * ID_BYTES))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def runs(self, first: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes | int]]:
        """What lies in [first, end), in order: (chunk, its leaf's ids from there on), where there may be
        zero ids between, or (chunk, number of zero chunks). Each zero subtree is one step, whatever its
        size. Raises Damaged."""
        end = self.chunks if end is None else min(end, self.chunks)
        at = first
        while at < end:
            level, position = 1, at // FANOUT
            if self.id(level, position) == ZERO_ID:
                # Its parent, too, may have nothing but zeros below.
                while level < self.levels and self.id(level + 1, position // FANOUT) == ZERO_ID:
                    level, position = level + 1, position // FANOUT
                upto = min(end, (position + 1) * span_of(level))
                yield at, upto - at
            else:
                begin = position * FANOUT
                upto = min(end, begin + FANOUT)
                ids = self.children(1, position)
                yield at, ids[(at - begin) * ID_BYTES : (upto - begin) * ID_BYTES]
            at = upto

    def data_chunks(self, first: int, end: int) -> int:
        """How many chunks in [first, end) are not zero. Raises Damaged."""
        count = 0
        for _, found in self.runs(first, end):
            if not isinstance(found, int):
                count += data_ids(found)
        return count


def data_ids(ids: bytes) -> int:
    """How many of the ids are not the zero id."""
    count = len(ids) // ID_BYTES
    if ZERO_ID not in ids:
        return count
    return sum(1 for at in range(0, len(ids), ID_BYTES) if not ids.startswith(ZERO_ID, at))


def changed_chunks(old: Tree, new: Tree) -> Iterator[tuple[int, int]]:
    """(first, count) of runs of chunks whose ids differ, in ascending order, up to the end of `new`;
    only differing branches are read. Beyond the end of `old` all that is not zero differs."""
    yield from _joined(_differing(old, new))


def _differing(old: Tree, new: Tree) -> Iterator[tuple[int, int]]:
    at = 0
    while at < new.chunks:
        level = next(level for level in range(new.levels, -1, -1) if at % span_of(level) == 0)
        # From the top down: what is the same need not be opened.
        while level > 0 and not _same(old, new, level, at // span_of(level)):
            level -= 1
        if level or _same(old, new, 0, at):
            at += new.covers(level, at // span_of(level))
        else:
            yield at, 1
            at += 1


def _same(old: Tree, new: Tree, level: int, position: int) -> bool:
    id = new.id(level, position)
    below = old.covers(level, position)
    if below == 0:
        return id == ZERO_ID
    if below != new.covers(level, position) or level > old.levels:
        return False
    return old.id(level, position) == id


def _joined(runs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    first = count = 0
    for at, length in runs:
        if count and first + count == at:
            count += length
            continue
        if count:
            yield first, count
        first, count = at, length
    if count:
        yield first, count

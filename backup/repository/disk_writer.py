"""Takes one disk's bytes in: cuts them into chunks, names them, and stores those that are new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from backup.repository.ids import ID_BYTES, ZERO_ID, chunk_id, zeros
from backup.repository.keys import Keyring
from backup.repository.point import How, PointDisk
from backup.repository.reader import DiskReader
from backup.repository.tree import Tree, chunks_in
from backup.repository.tree_builder import TreeBuilder


class ItemSink(Protocol):
    def put_chunk(self, id: bytes, data: memoryview) -> None:
        """Store it unless it is stored."""
        ...

    def put_node(self, id: bytes, plain: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class DiskResult:
    """See PointDisk."""

    name: str
    root: bytes
    read_bytes: int
    changed_bytes: int


class DiskWriter:
    """Told in ascending order and only from one thread; what is not told is as in the base, or zeros
    without one. A disk that grew or shrank is told in its new size."""

    def __init__(
        self,
        name: str,
        size: int,
        *,
        chunk_bytes: int,
        keyring: Keyring,
        sink: ItemSink,
        base: DiskReader | None,
        how: How,
        why: str | None,
        closed: Callable[[PointDisk], None],
    ) -> None:
        self.name = name
        self.size = size
        self.chunk_bytes = chunk_bytes
        self._key = keyring.chunk_key
        self._sink = sink
        self._base = base
        self._how = how
        self._why = why
        self._tell = closed
        self._tree = TreeBuilder(
            chunks_in(size, chunk_bytes), keyring.node_key, sink, base.tree if base else None
        )
        # Its own, so that counting doesn't disturb what the builder has at hand.
        self._before: Tree | None = base.another_tree() if base else None
        self._edge = self._cut_chunk()
        self._read_bytes = 0
        self._changed_bytes = 0
        self._closed = False

    def put(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Whole chunks from a chunk's beginning on; only the disk's last may be short. `data` may be
        used again afterwards. Raises ObjectStoreError, Damaged (of the base), ValueError."""
        length = len(data)
        self._check_range(offset, length)
        if not isinstance(data, bytes):
            data = bytes(data)
        self._keep_up_to(offset // self.chunk_bytes)
        self._read_bytes += length
        self._take(data)

    def zeros(self, offset: int, length: int) -> None:
        """A range of zeros, with ends as those of `put`; costs next to nothing, whatever its length."""
        self._check_range(offset, length)
        first, end = offset // self.chunk_bytes, chunks_in(offset + length, self.chunk_bytes)
        self._keep_up_to(first)
        if self._before is not None:
            self._changed_bytes += self.chunk_bytes * self._before.data_chunks(first, end)
        self._tree.zero(end)

    def close(self) -> DiskResult:
        """The rest is as in the base. The disk is in the point from now on."""
        if self._closed:
            raise ValueError("The disk is closed already.")
        self._keep_up_to(self._tree.chunks)
        root = self._tree.finish()
        self._closed = True
        disk = PointDisk(
            name=self.name,
            size=self.size,
            chunk_bytes=self.chunk_bytes,
            root=root,
            how=self._how,
            why=self._why,
            read_bytes=self._read_bytes,
            changed_bytes=min(self._changed_bytes, self.size),
        )
        self._tell(disk)
        return DiskResult(self.name, root, disk.read_bytes, disk.changed_bytes)

    def _take(self, data: bytes) -> None:
        chunk_bytes, key, sink = self.chunk_bytes, self._key, self._sink
        nothing = zeros(chunk_bytes)
        count = chunks_in(len(data), chunk_bytes)
        before = self._before.chunk_ids(self._tree.next, count) if self._before else None
        ids = bytearray()
        changed = 0
        view = memoryview(data)
        at = 0
        for start in range(0, len(data), chunk_bytes):
            if data.startswith(nothing, start):
                id = ZERO_ID
            else:
                piece = view[start : start + chunk_bytes]
                if len(piece) < chunk_bytes and piece == nothing[: len(piece)]:
                    id = ZERO_ID
                else:
                    id = chunk_id(piece, key)
            if id != (ZERO_ID if before is None else before[at : at + ID_BYTES]):
                changed += min(chunk_bytes, len(data) - start)
                if id != ZERO_ID:
                    sink.put_chunk(id, view[start : start + chunk_bytes])
            ids += id
            at += ID_BYTES
        self._changed_bytes += changed
        self._tree.append(ids)

    def _keep_up_to(self, chunk: int) -> None:
        edge = self._edge
        if edge is not None and self._base is not None and self._tree.next <= edge < chunk:
            # The chunk that holds the smaller size's end is no longer what it was.
            self._tree.keep(edge)
            start = edge * self.chunk_bytes
            length = min(self.chunk_bytes, self.size - start)
            self._take(self._base.read(start, length).ljust(length, b"\0"))
        self._tree.keep(chunk)

    def _cut_chunk(self) -> int | None:
        if self._base is None or self._base.size == self.size:
            return None
        chunk, within = divmod(min(self._base.size, self.size), self.chunk_bytes)
        return chunk if within else None

    def _check_range(self, offset: int, length: int) -> None:
        end = offset + length
        if (
            self._closed
            or offset % self.chunk_bytes
            or length <= 0
            or end > self.size
            or (end % self.chunk_bytes and end != self.size)
            or offset // self.chunk_bytes < self._tree.next
        ):
            raise ValueError(
                f"Bytes {offset} to {end} of disk {self.name} are not whole chunks behind what was told."
            )

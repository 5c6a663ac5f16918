"""Reads a disk of a recovery point: any range, or all of its data as fast as the store gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backup.repository.errors import Damaged
from backup.repository.ids import ID_BYTES, ZERO_ID
from backup.repository.items import ItemReader
from backup.repository.point import PointDisk
from backup.repository.sparse_stream import sparse_stream
from backup.repository.tree import Tree, chunks_in


@dataclass(frozen=True, slots=True)
class DiskExtent:
    """`data` False: zeros only. Data may hold zeros within a chunk."""

    offset: int
    length: int
    data: bool


class DiskReader:
    """For one thread. Every chunk is compared with its id; Damaged tells the object and the point."""

    def __init__(self, items: ItemReader, disk: PointDisk, point: str) -> None:
        self._items = items
        self._disk = disk
        self._point = point
        self._tree = Tree(disk.root, chunks_in(disk.size, disk.chunk_bytes), items)

    @property
    def size(self) -> int:
        return self._disk.size

    @property
    def tree(self) -> Tree:
        return self._tree

    @property
    def items(self) -> ItemReader:
        return self._items

    def another_tree(self) -> Tree:
        """The same tree with a place of its own in it."""
        return Tree(self._tree.root, self._tree.chunks, self._items)

    def extents(self) -> Iterator[DiskExtent]:
        """The whole disk in order, neighbours told apart by whether they are data."""
        start = 0
        data: bool | None = None
        for offset, is_data in self._runs():
            if is_data is data:
                continue
            if data is not None:
                yield DiskExtent(start, offset - start, data)
            start, data = offset, is_data
        if data is not None:
            yield DiskExtent(start, self.size - start, data)

    def _runs(self) -> Iterator[tuple[int, bool]]:
        """(offset from which it holds, whether data)."""
        chunk = self._disk.chunk_bytes
        try:
            for first, found in self._tree.runs():
                if isinstance(found, int):
                    yield first * chunk, False
                    continue
                was: bool | None = None
                for at in range(0, len(found), ID_BYTES):
                    is_data = not found.startswith(ZERO_ID, at)
                    if is_data is not was:
                        yield (first + at // ID_BYTES) * chunk, is_data
                        was = is_data
        except Damaged as error:
            raise error.needed_by(self._point) from None

    def read(self, offset: int, length: int) -> bytes:
        """Fewer bytes where the disk ends earlier. Raises Damaged and ObjectStoreError."""
        if offset < 0 or length < 0:
            raise ValueError("before the disk's beginning")
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        chunk = self._disk.chunk_bytes
        first, last = offset // chunk, (end - 1) // chunk
        parts: list[bytes] = []
        try:
            ids = self._tree.chunk_ids(first, last - first + 1)
            for number in range(first, last + 1):
                at = (number - first) * ID_BYTES
                start = max(offset - number * chunk, 0)
                upto = min(end - number * chunk, chunk)
                if ids.startswith(ZERO_ID, at):
                    parts.append(bytes(upto - start))
                    continue
                data = self._items.chunk(ids[at : at + ID_BYTES])
                parts.append(data if (start, upto) == (0, len(data)) else data[start:upto])
        except Damaged as error:
            raise error.needed_by(self._point) from None
        read = b"".join(parts)
        if len(read) != end - offset:
            raise Damaged(
                f"tenants/{self._items.keyring.tenant}/packs/",
                "a chunk has another length than its place on the disk",
                ja="チャンクの長さが位置と合いません",
                points=(self._point,),
            )
        return read

    def stream(self, workers: int = 2) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of all that is not zero, each part of the disk once, roughly ascending; what
        is not told is zeros. Some 64 MiB of memory. Raises Damaged and ObjectStoreError."""
        try:
            yield from sparse_stream(self._items, self._tree, self._disk, workers)
        except Damaged as error:
            raise error.needed_by(self._point) from None

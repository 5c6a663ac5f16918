"""Writes a disk as the file that hypervisors start from while its bytes come in, in whatever order.

Layout as in QEMU's docs/interop/qcow2.txt, version 3, clusters of 64 KiB. What is data goes into the file
one after another; the tables that say where it lies come behind it, and the header last of all, so that
a file that was broken off is no disk. Zeros take no room. A file may lean on a disk elsewhere, from which
all comes that it does not hold; it says so itself, so that nobody takes what it lacks for zeros.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import pack

CLUSTER = 64 * 1024
_PER_TABLE = CLUSTER // 8
_PER_REFCOUNTS = CLUSTER // 2
_COPIED = 1 << 63
_ZERO = 1
"""A cluster of zeros, whatever the file leans on."""
_BACKING_FORMAT = 0xE2792ACA
_HEADER = 104
_EXTENSIONS = 24
"""The backing's format, and the end of the extensions."""
_LONGEST_BACKING = 1023
_PIECE = 16 * 2**20
_MOST_HELD = 256
"""Clusters that only a part of has come."""
_ZEROS = bytes(CLUSTER)


@dataclass(slots=True)
class _Part:
    content: bytearray = field(default_factory=lambda: bytearray(CLUSTER))
    missing: int = CLUSTER


class Qcow2Stream:
    """Of a disk of `size` bytes, none of which is told twice. `write` is given offsets in the file, mostly
    ascending, and at most 16 MiB at a time. Memory: that, and 1 MiB for each 8 GiB of data.

    `backing`: what it leans on, a raw disk as QEMU calls it, at most 1,023 bytes."""

    def __init__(
        self, size: int, write: Callable[[int, bytes], None], backing: str | None = None
    ) -> None:
        self._size = size
        self._write = write
        self._backing = "" if backing is None else backing
        if len(self._backing.encode()) > _LONGEST_BACKING:
            raise ValueError(f"nothing can lean on a disk called {backing}")
        tables = -(-size // (CLUSTER * _PER_TABLE))
        self._first_level: list[array[int] | None] = [None] * tables
        self._first_level_clusters = max(1, -(-tables * 8 // CLUSTER))
        self._held: dict[int, _Part] = {}
        self._next = 1 + self._first_level_clusters
        self._ahead = bytearray()
        self._ahead_at = self._next * CLUSTER

    def put(self, offset: int, data: bytes) -> None:
        """Raises ValueError for what lies outside of the disk."""
        if offset < 0 or offset + len(data) > self._size:
            raise ValueError(
                f"{len(data)} bytes at {offset} lie outside of a disk of {self._size} bytes"
            )
        view = memoryview(data)
        while view:
            number, within = divmod(offset, CLUSTER)
            part = view[: CLUSTER - within]
            if len(part) == CLUSTER:
                if part != _ZEROS:
                    self._append(number, part)
            else:
                self._hold(number, within, part)
            offset, view = offset + len(part), view[len(part) :]

    def zeros(self, offset: int, length: int) -> None:
        """These bytes don't come from what the file leans on. Parts of clusters still do."""
        for number in range(-(-offset // CLUSTER), (offset + length) // CLUSTER):
            which, entry = divmod(number, _PER_TABLE)
            table = self._table(which)
            table[entry] = table[entry] or _ZERO

    def finish(self) -> int:
        """The file's length in bytes."""
        while self._held:
            self._let_go(next(iter(self._held)))
        first_level = bytearray()
        for table in self._first_level:
            first_level += pack(">Q", 0 if table is None else self._next * CLUSTER | _COPIED)
            if table is not None:
                self._behind(_big_endian(table))
        refcounts_at = self._refcounts()
        self._flush()
        header = pack(
            ">4sIQIIQIIQQIIQQQQII",
            b"QFI\xfb",
            3,
            _HEADER + _EXTENSIONS if self._backing else 0,
            len(self._backing.encode()),
            16,
            self._size,
            0,
            len(self._first_level),
            CLUSTER,
            refcounts_at[0],
            refcounts_at[1],
            0,
            0,
            0,
            0,
            0,
            4,
            _HEADER,
        )
        if self._backing:
            header += pack(">II8sQ", _BACKING_FORMAT, 3, b"raw", 0) + self._backing.encode()
        begin = header.ljust(CLUSTER, b"\0") + first_level
        self._write(0, begin.ljust((1 + self._first_level_clusters) * CLUSTER, b"\0"))
        return self._next * CLUSTER

    def _hold(self, number: int, within: int, part: memoryview) -> None:
        at = self._place_of(number)
        if at is not None:
            # It was let go before all of it had come.
            self._flush()
            self._write(at + within, bytes(part))
            return
        held = self._held.get(number)
        if held is None:
            if len(self._held) >= _MOST_HELD:
                self._let_go(next(iter(self._held)))
            held = self._held[number] = _Part(missing=min(CLUSTER, self._size - number * CLUSTER))
        held.content[within : within + len(part)] = part
        held.missing -= len(part)
        if held.missing <= 0:
            self._let_go(number)

    def _let_go(self, number: int) -> None:
        held = self._held.pop(number)
        if held.missing > 0 or held.content != _ZEROS:
            self._append(number, memoryview(held.content))

    def _append(self, number: int, content: memoryview) -> None:
        which, entry = divmod(number, _PER_TABLE)
        self._table(which)[entry] = self._next * CLUSTER | _COPIED
        self._behind(content)

    def _table(self, which: int) -> array[int]:
        table = self._first_level[which]
        if table is None:
            table = self._first_level[which] = array("Q", bytes(CLUSTER))
        return table

    def _place_of(self, number: int) -> int | None:
        table = self._first_level[number // _PER_TABLE]
        entry = 0 if table is None else table[number % _PER_TABLE]
        return entry & ~(_COPIED | _ZERO) or None

    def _behind(self, cluster: memoryview | bytes) -> None:
        self._ahead += cluster
        self._next += 1
        if len(self._ahead) >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        if self._ahead:
            self._write(self._ahead_at, bytes(self._ahead))
            self._ahead_at += len(self._ahead)
            self._ahead = bytearray()

    def _refcounts(self) -> tuple[int, int]:
        """Where their table begins, and its clusters: each cluster of the file is used once."""
        others, blocks, tables = self._next, 0, 0
        while True:
            total = others + blocks + tables
            needed = -(-total // _PER_REFCOUNTS)
            needed_tables = -(-needed // _PER_TABLE)
            if (needed, needed_tables) == (blocks, tables):
                break
            blocks, tables = max(blocks, needed), max(tables, needed_tables)
        at = self._next
        entries = array("Q", ((at + tables + block) * CLUSTER for block in range(blocks)))
        table = _big_endian(entries).ljust(tables * CLUSTER, b"\0")
        for number in range(tables):
            self._behind(table[number * CLUSTER : (number + 1) * CLUSTER])
        for block in range(blocks):
            used = min(_PER_REFCOUNTS, total - block * _PER_REFCOUNTS)
            self._behind((b"\0\1" * used).ljust(CLUSTER, b"\0"))
        return at * CLUSTER, tables


def _big_endian(table: array[int]) -> bytes:
    if sys.byteorder == "little":
        table = array("Q", table)
        table.byteswap()
    return table.tobytes()

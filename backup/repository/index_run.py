"""A sorted run: where the items of some index objects lie, in one file of this machine's cache.

The file is made of pages of 4 KiB with fixed-size records, and a tail that knows how each page begins
and its checksum; the tail itself is under a key of the tenant's. A page is compared with its checksum
whenever it is read, and few are kept: memory stays small however large the repository (24 bytes for
each 93 items), and a cache file that rotted, or that another wrote, is noticed before anything is
believed.
"""

from __future__ import annotations

import heapq
import os
import struct
import sys
import tempfile
import weakref
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from backup.repository.cache_folders import unfinished_prefix
from backup.repository.ids import ID_BYTES
from backup.repository.pack import FooterSegment, PackFacts, parse_footer
from backup.repository.segment import Compression, Kind

PAGE_BYTES = 1 << 12
_PAGES_KEPT = 512
_ITEM_BYTES = 44
_SEGMENT = struct.Struct(">IIQIIBB6x")
_PACK = struct.Struct(">32sI")
_PLACE = struct.Struct(">III")
_MAGIC = b"YUIRUN\x00\x02"
_TAIL_HEAD = struct.Struct(">8sQQQQ")
_TAIL_END = struct.Struct(">32sQ")
_CHECK_BYTES = 16
_PREFIX_BYTES = 8
_LONGEST_TAIL = 1 << 30


class CacheDamaged(Exception):
    """The file is not what was written: throw it away and make it anew."""


class Place(NamedTuple):
    """Where an item lies."""

    pack: bytes
    pack_length: int
    segment: int
    offset: int
    sealed_length: int
    plain_length: int
    kind: Kind
    compression: Compression
    item_offset: int
    item_length: int


@dataclass(slots=True)
class _Table:
    """Records of one size in consecutive pages."""

    first_page: int
    count: int
    record_bytes: int

    @property
    def per_page(self) -> int:
        return PAGE_BYTES // self.record_bytes

    @property
    def pages(self) -> int:
        return -(-self.count // self.per_page)


class IndexRun:
    """Open for reading. Raises CacheDamaged from any method. Not for several threads at once."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise CacheDamaged from None
        # As files do it: whoever forgets to close it holds it no longer than the object.
        self._end = weakref.finalize(self, os.close, self._file)
        try:
            self._read_tail(key)
        except (OSError, struct.error, CacheDamaged):
            self._end()
            raise CacheDamaged from None

    def _read_tail(self, key: bytes) -> None:
        size = os.fstat(self._file).st_size
        mac, length = _TAIL_END.unpack(
            os.pread(self._file, _TAIL_END.size, max(0, size - _TAIL_END.size))
        )
        if not 0 < length <= min(size, _LONGEST_TAIL):
            raise CacheDamaged
        tail = os.pread(self._file, length, size - _TAIL_END.size - length)
        if len(tail) != length or blake3(tail, key=key).digest() != mac:
            raise CacheDamaged
        magic, indexes, items, segments, packs = _TAIL_HEAD.unpack_from(tail)
        if magic != _MAGIC:
            raise CacheDamaged
        at = _TAIL_HEAD.size
        self.indexes = frozenset(_pieces(tail[at : at + indexes * ID_BYTES], ID_BYTES))
        at += indexes * ID_BYTES
        self._items = _Table(0, items, _ITEM_BYTES)
        self._segments = _Table(self._items.pages, segments, _SEGMENT.size)
        self._packs = _Table(self._segments.first_page + self._segments.pages, packs, _PACK.size)
        fences = self._items.pages * _PREFIX_BYTES
        self._prefixes = array("Q", tail[at : at + fences])
        if sys.byteorder == "little":
            self._prefixes.byteswap()
        self._checks = tail[at + fences :]
        pages = self._packs.first_page + self._packs.pages
        if len(self._checks) != pages * _CHECK_BYTES:
            raise CacheDamaged
        self._known_packs: dict[int, tuple[bytes, int]] = {}

    def close(self) -> None:
        self._end()

    @property
    def items(self) -> int:
        return self._items.count

    def find(self, id: bytes) -> list[Place]:
        """Every place of the item, usually none or one."""
        return [self._place(record) for record in self._records_of(id)]

    def packs_of(self, id: bytes) -> list[bytes]:
        """The packs that hold the item."""
        return [self._pack_of(record)[0] for record in self._records_of(id)]

    def packs(self) -> Iterator[tuple[bytes, int]]:
        """(id, length)."""
        for record in self._all(self._packs):
            yield _PACK.unpack(record)

    def _records_of(self, id: bytes) -> list[bytes]:
        prefix = int.from_bytes(id[:_PREFIX_BYTES], "big")
        # Equal ids may begin on the page before the first that begins with them.
        first = max(0, bisect_left(self._prefixes, prefix) - 1)
        found: list[bytes] = []
        for page in range(first, bisect_right(self._prefixes, prefix)):
            data = self._page(page)
            end = (self._items.count - page * self._items.per_page) * _ITEM_BYTES
            at = data.find(id, 0, end)
            while at >= 0:
                # What is found across records' borders is chance.
                if at % _ITEM_BYTES == 0:
                    found.append(data[at : at + _ITEM_BYTES])
                at = data.find(id, at + 1, end)
        return found

    def _place(self, record: bytes) -> Place:
        segment, item_offset, item_length = _PLACE.unpack_from(record, ID_BYTES)
        pack, number, offset, sealed, plain, kind, compression = _SEGMENT.unpack(
            self._record(self._segments, segment)
        )
        id, length = self._pack(pack)
        return Place(
            id,
            length,
            number,
            offset,
            sealed,
            plain,
            Kind(kind),
            Compression(compression),
            item_offset,
            item_length,
        )

    def _pack_of(self, record: bytes) -> tuple[bytes, int]:
        (segment,) = struct.unpack_from(">I", record, ID_BYTES)
        (pack,) = struct.unpack_from(">I", self._record(self._segments, segment))
        return self._pack(pack)

    def _pack(self, number: int) -> tuple[bytes, int]:
        """Kept as one object each, so that many places share it."""
        pack = self._known_packs.get(number)
        if pack is None:
            if len(self._known_packs) > 4096:
                self._known_packs.clear()
            pack = _PACK.unpack(self._record(self._packs, number))
            self._known_packs[number] = pack
        return pack

    def _record(self, table: _Table, number: int) -> bytes:
        if not 0 <= number < table.count:
            raise CacheDamaged
        page, at = divmod(number, table.per_page)
        start = at * table.record_bytes
        return self._page(table.first_page + page)[start : start + table.record_bytes]

    def _all(self, table: _Table) -> Iterator[bytes]:
        left = table.count
        for page in range(table.first_page, table.first_page + table.pages):
            count = min(left, table.per_page)
            yield from _pieces(
                self._read_page(page)[: count * table.record_bytes], table.record_bytes
            )
            left -= count

    def _page(self, page: int) -> bytes:
        data = self._pages.get(page)
        if data is None:
            data = self._read_page(page)
            if len(self._pages) >= _PAGES_KEPT:
                self._pages.popitem(last=False)
            self._pages[page] = data
        else:
            self._pages.move_to_end(page)
        return data

    def _read_page(self, page: int) -> bytes:
        try:
            data = os.pread(self._file, PAGE_BYTES, page * PAGE_BYTES)
        except OSError:
            raise CacheDamaged from None
        check = self._checks[page * _CHECK_BYTES : (page + 1) * _CHECK_BYTES]
        if blake3(data).digest(_CHECK_BYTES) != check:
            raise CacheDamaged
        return data

    def _moved(self, segments_before: int) -> Iterator[bytes]:
        """Item records, as they are in a run that has so many segments before this one's."""
        if not segments_before:
            yield from self._all(self._items)
            return
        for record in self._all(self._items):
            (segment,) = struct.unpack_from(">I", record, ID_BYTES)
            yield (
                record[:ID_BYTES]
                + (segment + segments_before).to_bytes(4, "big")
                + record[ID_BYTES + 4 :]
            )

    def _moved_segments(self, packs_before: int) -> Iterator[bytes]:
        for record in self._all(self._segments):
            (pack,) = struct.unpack_from(">I", record)
            yield (pack + packs_before).to_bytes(4, "big") + record[4:]


def write_run(path: Path, key: bytes, indexes: Iterable[bytes], packs: Sequence[PackFacts]) -> None:
    """`indexes`: ids of the index objects that name just these packs. Raises OSError."""
    items: list[bytes] = []
    segments: list[bytes] = []
    for number, pack in enumerate(packs):
        for segment in parse_footer(pack.footer, pack.length):
            items.extend(_item_records(segment, len(segments)))
            segments.append(
                _SEGMENT.pack(
                    number,
                    segment.number,
                    segment.offset,
                    segment.sealed_length,
                    segment.plain_length,
                    segment.kind,
                    segment.compression,
                )
            )
    items.sort()
    _write(
        path,
        key,
        frozenset(indexes),
        (items, segments, (_PACK.pack(pack.id, pack.length) for pack in packs)),
    )


def merge_runs(path: Path, key: bytes, runs: Sequence[IndexRun]) -> None:
    """One run for all of them, record by record. Raises OSError, CacheDamaged."""
    items: list[Iterator[bytes]] = []
    segments: list[Iterator[bytes]] = []
    packs: list[Iterator[bytes]] = []
    segments_before = packs_before = 0
    for run in runs:
        items.append(run._moved(segments_before))
        segments.append(run._moved_segments(packs_before))
        packs.append(run._all(run._packs))
        segments_before += run._segments.count
        packs_before += run._packs.count
    _write(
        path,
        key,
        frozenset().union(*(run.indexes for run in runs)),
        (heapq.merge(*items), _chained(segments), _chained(packs)),
    )


def _item_records(segment: FooterSegment, number: int) -> Iterator[bytes]:
    packed = number.to_bytes(4, "big")
    for at in range(0, len(segment.items), 40):
        item = segment.items[at : at + 40]
        yield item[:ID_BYTES] + packed + item[ID_BYTES:]


def _write(
    path: Path,
    key: bytes,
    indexes: frozenset[bytes],
    tables: tuple[Iterable[bytes], Iterable[bytes], Iterable[bytes]],
) -> None:
    prefixes = bytearray()
    checks = bytearray()
    counts: list[int] = []
    prefix = unfinished_prefix()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, delete=False) as file:
        try:
            for number, (records, record_bytes) in enumerate(
                zip(tables, (_ITEM_BYTES, _SEGMENT.size, _PACK.size), strict=True)
            ):
                count = 0
                for page, held in _paged(records, PAGE_BYTES // record_bytes):
                    if number == 0:
                        prefixes += page[:_PREFIX_BYTES]
                    padded = page.ljust(PAGE_BYTES, b"\0")
                    checks += blake3(padded).digest(_CHECK_BYTES)
                    file.write(padded)
                    count += held
                counts.append(count)
            tail = b"".join(
                (
                    _TAIL_HEAD.pack(_MAGIC, len(indexes), *counts),
                    *sorted(indexes),
                    prefixes,
                    checks,
                )
            )
            file.write(tail)
            file.write(_TAIL_END.pack(blake3(tail, key=key).digest(), len(tail)))
            file.flush()
            Path(file.name).rename(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _paged(records: Iterable[bytes], per_page: int) -> Iterator[tuple[bytes, int]]:
    held: list[bytes] = []
    for record in records:
        held.append(record)
        if len(held) == per_page:
            yield b"".join(held), per_page
            held = []
    if held:
        yield b"".join(held), len(held)


def _chained(parts: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
    for part in parts:
        yield from part


def _pieces(data: bytes, length: int) -> Iterator[bytes]:
    return (data[at : at + length] for at in range(0, len(data), length))

"""All data of a disk, read in the order in which it lies in packs: near parts of a disk lie near in
packs, so that a few large reads bring what thousands of chunks would ask for one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from backup.repository.errors import Damaged
from backup.repository.ids import ID_BYTES, ZERO_ID, chunk_id
from backup.repository.index_run import Place
from backup.repository.items import ItemReader, not_as_named
from backup.repository.point import PointDisk
from backup.repository.tree import Tree

_WINDOW_CHUNKS = 4096
"""Sorted by place at a time."""
_READ_BYTES = 4 << 20
_GAP_BYTES = 256 << 10
"""Rather read so much for nothing than ask once more."""


@dataclass(slots=True)
class _Wanted:
    """Of one segment: (offset in the plaintext, length, id, number of the disk's chunk)."""

    place: Place
    items: list[tuple[int, int, bytes, int]] = field(default_factory=list)


def sparse_stream(
    items: ItemReader, tree: Tree, disk: PointDisk, workers: int
) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes), as DiskReader.stream tells it."""
    reading: deque[Future[list[tuple[int, bytes]]]] = deque()
    with ThreadPoolExecutor(max(1, workers), "backup-read") as pool:
        try:
            for group in _groups(items, tree):
                reading.append(pool.submit(_read, items, disk, group))
                while len(reading) > workers + 1:
                    yield from reading.popleft().result()
            while reading:
                yield from reading.popleft().result()
        finally:
            for each in reading:
                each.cancel()


def _groups(items: ItemReader, tree: Tree) -> Iterator[list[_Wanted]]:
    """Segments that one read brings."""
    window: list[tuple[int, bytes]] = []
    for first, found in tree.runs():
        if isinstance(found, int):
            continue
        for at in range(0, len(found), ID_BYTES):
            if not found.startswith(ZERO_ID, at):
                window.append((first + at // ID_BYTES, found[at : at + ID_BYTES]))
        if len(window) >= _WINDOW_CHUNKS:
            yield from _placed(items, window)
            window = []
    yield from _placed(items, window)


def _placed(items: ItemReader, window: list[tuple[int, bytes]]) -> Iterator[list[_Wanted]]:
    segments: dict[tuple[bytes, int], _Wanted] = {}
    # Neighbours in the index are looked for together.
    found = {id: items.places(id) for id in sorted({id for _, id in window})}
    for number, id in window:
        places = found[id]
        # Where an item lies twice, rather in a segment that is read anyway.
        place = next((p for p in places if (p.pack, p.offset) in segments), places[0])
        wanted = segments.get((place.pack, place.offset))
        if wanted is None:
            wanted = segments[(place.pack, place.offset)] = _Wanted(place)
        wanted.items.append((place.item_offset, place.item_length, id, number))
    group: list[_Wanted] = []
    # By where the disk first asks for a pack, not by its name: the order stays roughly ascending.
    order = {pack: at for at, pack in enumerate(dict.fromkeys(pack for pack, _ in segments))}
    for (pack, offset), wanted in sorted(
        segments.items(), key=lambda entry: (order[entry[0][0]], entry[0][1])
    ):
        if group:
            begin, last = group[0].place, group[-1].place
            end = last.offset + last.sealed_length
            if (
                pack != begin.pack
                or offset - end > _GAP_BYTES
                or offset + wanted.place.sealed_length - begin.offset > _READ_BYTES
            ):
                yield group
                group = []
        group.append(wanted)
    if group:
        yield group


def _read(items: ItemReader, disk: PointDisk, group: list[_Wanted]) -> list[tuple[int, bytes]]:
    begin, last = group[0].place, group[-1].place
    try:
        sealed = memoryview(items.range(begin, last.offset + last.sealed_length - begin.offset))
    except Damaged:
        return [part for wanted in group for part in _one_by_one(items, disk, wanted)]
    found: list[tuple[int, bytes]] = []
    for wanted in group:
        start = wanted.place.offset - begin.offset
        try:
            plain = items.open_segment(
                wanted.place, sealed[start : start + wanted.place.sealed_length]
            )
            _compare(items, wanted, plain)
        except Damaged:
            # Each chunk may lie elsewhere, too; what lies nowhere else is told by the object's name.
            found += _one_by_one(items, disk, wanted)
        else:
            found += _parts(disk, wanted, plain)
    return found


def _compare(items: ItemReader, wanted: _Wanted, plain: bytes) -> None:
    key = items.keyring.chunk_key
    view = memoryview(plain)
    for at, (length, id) in {at: (length, id) for at, length, id, _ in wanted.items}.items():
        if chunk_id(view[at : at + length], key) != id:
            raise not_as_named(items.keyring.tenant, wanted.place, "a chunk")


def _parts(disk: PointDisk, wanted: _Wanted, plain: bytes) -> Iterator[tuple[int, bytes]]:
    """Chunks that are neighbours both on the disk and in the segment, as one."""
    begin = end = number = -1
    after = -1
    for at, length, _, chunk in wanted.items:
        _check_length(disk, chunk, length)
        if begin >= 0 and at == end and chunk == after:
            end, after = at + length, chunk + 1
            continue
        if begin >= 0:
            yield number * disk.chunk_bytes, plain[begin:end]
        begin, end, number, after = at, at + length, chunk, chunk + 1
    if begin >= 0:
        yield number * disk.chunk_bytes, plain[begin:end]


def _one_by_one(items: ItemReader, disk: PointDisk, wanted: _Wanted) -> Iterator[tuple[int, bytes]]:
    for _, _, id, chunk in wanted.items:
        data = items.chunk(id)
        _check_length(disk, chunk, len(data))
        yield chunk * disk.chunk_bytes, data


def _check_length(disk: PointDisk, chunk: int, length: int) -> None:
    if length != min(disk.chunk_bytes, disk.size - chunk * disk.chunk_bytes):
        raise Damaged(
            f"chunk {chunk} of disk {disk.name}",
            "it has another length than its place asks for",
            ja="チャンクの長さが位置と合いません",
        )

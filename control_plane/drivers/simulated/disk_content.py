"""What is on a simulated disk, byte by byte, without holding the bytes.

    0           who the disk belongs to and what it was made from
    1 MiB       records, 64 bytes each; those that no longer fit go over the oldest
    a half      notes, each beginning at a multiple of 4 KiB
    last quarter  whatever was written there, in blocks of 4 KiB

All else is zero. The same disk has the same bytes on every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.extents import merged

BLOCK = 4096
RECORDS_AT = 2**20
RECORD = 64


@dataclass(frozen=True, slots=True)
class DiskContent:
    """A disk as it was at one moment: `size` in bytes, `blocks` by their number on the disk."""

    size: int
    label: str
    records: int
    notes: tuple[str, ...]
    blocks: Mapping[int, bytes]

    def extents(self) -> Iterator[Extent]:
        """All of the disk."""
        return _with_zeros(self._data(), self.size)

    def changes_since(self, before: DiskContent) -> Iterator[Extent]:
        """Of two moments of one disk."""
        changed = set()
        if before.label != self.label:
            changed.add(0)
        first, last = sorted((before.records, self.records))
        places = range(first, last) if last - first < self._most_records else range(last)
        changed |= {self._place_of(number) // BLOCK for number in places}
        same = 0
        for one, other in zip(before.notes, self.notes, strict=False):
            if one != other:
                break
            same += 1
        for notes in (before.notes, self.notes):
            begin, end = _length(notes[:same]), _length(notes)
            changed |= set(
                range((self.size // 2 + begin) // BLOCK, (self.size // 2 + end) // BLOCK)
            )
        for number in before.blocks.keys() | self.blocks.keys():
            if before.blocks.get(number) != self.blocks.get(number):
                changed.add(number)
        for number in sorted(changed):
            yield Extent(number * BLOCK, BLOCK, True)

    def read(self, offset: int, length: int) -> bytes:
        found = bytearray(length)

        def lay(at: int, text: bytes) -> None:
            begin, end = max(at, offset), min(at + len(text), offset + length)
            if begin < end:
                found[begin - offset : end - offset] = text[begin - at : end - at]

        lay(0, self.label.encode()[:BLOCK])
        first = max(0, (offset - RECORDS_AT) // RECORD)
        past = min(self._kept_records, -(-(offset + length - RECORDS_AT) // RECORD))
        for place in range(first, past):
            lay(RECORDS_AT + place * RECORD, self._record_at(place))
        at = self.size // 2
        for note in self.notes:
            lay(at, note.encode())
            at += _length((note,))
        for number in range(offset // BLOCK, -(-(offset + length) // BLOCK)):
            if number in self.blocks:
                lay(number * BLOCK, self.blocks[number])
        return bytes(found)

    @property
    def _most_records(self) -> int:
        return (self.size // 2 - RECORDS_AT) // RECORD

    @property
    def _kept_records(self) -> int:
        return min(self.records, self._most_records)

    def _place_of(self, record: int) -> int:
        return RECORDS_AT + record % self._most_records * RECORD

    def _record_at(self, place: int) -> bytes:
        rounds = (self.records - 1 - place) // self._most_records
        return f"record {place + rounds * self._most_records}\n".encode().ljust(RECORD)

    def _data(self) -> Iterator[Extent]:
        """In order; what lies over something else is told once."""
        end = 0
        for extent in sorted(self._parts(), key=lambda each: each.offset):
            if extent.end > end:
                begin = max(end, extent.offset)
                yield Extent(begin, extent.end - begin, True)
                end = extent.end

    def _parts(self) -> Iterator[Extent]:
        yield Extent(0, BLOCK, True)
        if self._kept_records:
            yield Extent(RECORDS_AT, -(-self._kept_records * RECORD // BLOCK) * BLOCK, True)
        if self.notes:
            yield Extent(self.size // 2, _length(self.notes), True)
        for number in sorted(self.blocks):
            yield Extent(number * BLOCK, BLOCK, True)


def written(blocks: dict[int, bytes], size: int, offset: int, data: bytes) -> None:
    """Put `data` on the disk. Raises ValueError outside of its last quarter."""
    if offset < size * 3 // 4 or offset + len(data) > size:
        raise ValueError("only the last quarter of a simulated disk takes any bytes")
    while data:
        number, within = divmod(offset, BLOCK)
        taken = data[: BLOCK - within]
        block = bytearray(blocks.get(number, bytes(BLOCK)))
        block[within : within + len(taken)] = taken
        blocks[number] = bytes(block)
        offset, data = offset + len(taken), data[len(taken) :]


def _length(notes: tuple[str, ...]) -> int:
    return sum(-(-max(1, len(note.encode())) // BLOCK) * BLOCK for note in notes)


def _with_zeros(data: Iterator[Extent], size: int) -> Iterator[Extent]:
    place = 0
    for extent in merged(data):
        if place < extent.offset:
            yield Extent(place, extent.offset - place, False)
        yield extent
        place = extent.end
    if place < size:
        yield Extent(place, size - place, False)

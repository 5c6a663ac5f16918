"""Reads the bitmaps that QEMU keeps in a disk's own file: which there are, which are whole, what they say.

Layout as in QEMU's docs/interop/qcow2.txt, "Bitmaps extension". A bitmap that is in use while a QEMU has
the file open for writing, and that stays so after a crash, is worth nothing; so are all of them once
somebody has written the file who does not know them (autoclear bit 0 is unset then).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from struct import error as struct_error
from struct import unpack, unpack_from

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.extents import merged

ReadAt = Callable[[int, int], bytes]
"""The file's bytes from an offset on, of a length."""

_MAGIC = b"QFI\xfb"
_EXTENSION = 0x23852875
_IN_USE = 1
_RECORDING = 2
_DIRTY_TRACKING = 1
_OFFSET = 0x00FFFFFFFFFFFE00
_MOST_DIRECTORY = 2**20
_HEADER = 4096


@dataclass(frozen=True, slots=True)
class Bitmap:
    """`granularity`: bytes of the disk for each bit. `believable`: closed as it should be, and still
    recording when it was."""

    name: str
    believable: bool
    granularity: int
    table_offset: int
    table_length: int
    cluster: int
    disk_size: int


def bitmaps(read_at: ReadAt) -> list[Bitmap]:
    """Raises ValueError for what is no qcow2 file that can be made out."""
    try:
        return list(_bitmaps(read_at))
    except (struct_error, UnicodeDecodeError) as error:
        raise ValueError(f"the file's bitmaps can't be made out: {error}") from error


@dataclass(frozen=True, slots=True)
class Marks:
    """What a bitmap says: `parts` are its clusters of bits, by their number; None: all of them set."""

    bitmap: Bitmap
    parts: Mapping[int, bytes | None]

    def extents(self) -> Iterator[Extent]:
        """Of the disk, in ascending order, without overlaps."""
        return merged(self._marked())

    def _marked(self) -> Iterator[Extent]:
        bits = self.bitmap.cluster * 8
        for number, part in self.parts.items():
            if part is None:
                yield from self._stretch(number * bits, bits)
                continue
            for at, byte in enumerate(part):
                first = number * bits + at * 8
                if byte == 0xFF:
                    yield from self._stretch(first, 8)
                elif byte:
                    for bit in range(8):
                        if byte >> bit & 1:
                            yield from self._stretch(first + bit, 1)

    def _stretch(self, first: int, bits: int) -> Iterator[Extent]:
        begin = first * self.bitmap.granularity
        end = min((first + bits) * self.bitmap.granularity, self.bitmap.disk_size)
        if begin < end:
            yield Extent(begin, end - begin, True)


def marks(bitmap: Bitmap, read_at: ReadAt) -> Marks:
    """Each entry of a bitmap's table stands for one cluster of bits. Raises ValueError."""
    table = read_at(bitmap.table_offset, bitmap.table_length * 8)
    covered = bitmap.table_length * bitmap.cluster * 8 * bitmap.granularity
    if len(table) != bitmap.table_length * 8 or covered < bitmap.disk_size:
        raise ValueError("the bitmap does not cover the disk")
    parts: dict[int, bytes | None] = {}
    for number, entry in enumerate(unpack(f">{bitmap.table_length}Q", table)):
        offset = entry & _OFFSET
        if offset:
            part = read_at(offset, bitmap.cluster)
            if len(part) != bitmap.cluster:
                raise ValueError("the file ends within a bitmap")
            parts[number] = part
        elif entry & 1:
            parts[number] = None
    return Marks(bitmap, parts)


def _bitmaps(read_at: ReadAt) -> Iterator[Bitmap]:
    header = read_at(0, _HEADER)
    magic, version = unpack_from(">4sI", header)
    if magic != _MAGIC:
        raise ValueError("the file is not qcow2")
    if version < 3:
        return
    (cluster_bits,) = unpack_from(">I", header, 20)
    (disk_size,) = unpack_from(">Q", header, 24)
    known = bool(unpack_from(">Q", header, 88)[0] & 1)
    (place,) = unpack_from(">I", header, 100)
    while True:
        kind, length = unpack_from(">II", header, place)
        if kind == 0:
            return
        if kind == _EXTENSION:
            break
        place += 8 + -(-length // 8) * 8
    count, _, size, offset = unpack_from(">IIQQ", header, place + 8)
    if size > _MOST_DIRECTORY:
        raise ValueError("the directory of bitmaps is too large")
    directory = read_at(offset, size)
    at = 0
    for _ in range(count):
        table, entries, flags, kind, bits, name_length, extra = unpack_from(
            ">QIIBBHI", directory, at
        )
        begin = at + 24 + extra
        yield Bitmap(
            directory[begin : begin + name_length].decode(),
            known and kind == _DIRTY_TRACKING and flags & (_IN_USE | _RECORDING) == _RECORDING,
            1 << bits,
            table,
            entries,
            1 << cluster_bits,
            disk_size,
        )
        at += -(-(24 + extra + name_length) // 8) * 8

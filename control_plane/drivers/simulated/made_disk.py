"""What a simulated disk is, told from the bytes that it is made of."""

from __future__ import annotations

from control_plane.drivers.disks import DataVolumeSpec, VolumeSpec
from control_plane.drivers.simulated.disk_content import BLOCK, RECORD, RECORDS_AT, DiskContent
from control_plane.drivers.simulated.storage import DataVolume, Volume
from control_plane.model.ids import ImageId, ServerId

_GIB = 2**30


def made_of(
    server: ServerId | None, wanted: VolumeSpec | DataVolumeSpec, blocks: dict[int, bytes]
) -> Volume | DataVolume:
    """What the bytes say, so that a guest goes on where it was; whatever else they hold lies over it."""
    size = wanted.size * _GIB
    records, notes = _records(blocks, size), _notes(blocks, size)
    if isinstance(wanted, DataVolumeSpec):
        records = 0
    label = blocks.get(0, b"").rstrip(b"\0").decode("utf-8", errors="replace")
    told = DiskContent(size, label, records, tuple(notes), {})
    numbers = {
        extent.offset // BLOCK + n
        for extent in told.extents()
        if extent.data
        for n in range(extent.length // BLOCK)
    }
    beside = {}
    for number in numbers | blocks.keys():
        given = blocks.get(number, bytes(BLOCK))
        if told.read(number * BLOCK, BLOCK) != given:
            beside[number] = given
    if isinstance(wanted, DataVolumeSpec):
        return DataVolume(
            wanted.id, wanted.pool, wanted.size, wanted.build, notes, beside, label=label
        )
    if server is None:
        raise ValueError("a root volume is some server's")
    return Volume(
        server,
        wanted.pool,
        wanted.size,
        ImageId(""),
        wanted.build,
        records,
        notes,
        beside,
        label=label,
    )


def _records(blocks: dict[int, bytes], size: int) -> int:
    most = (size // 2 - RECORDS_AT) // RECORD
    last = -1
    for place in range(most):
        number, within = divmod(RECORDS_AT + place * RECORD, BLOCK)
        text = blocks.get(number, b"")[within : within + RECORD].rstrip()
        if not text.startswith(b"record ") or not text[7:].isdigit():
            break
        last = max(last, int(text[7:]))
    return last + 1


def _notes(blocks: dict[int, bytes], size: int) -> list[str]:
    """Each ends where a block is not full."""
    notes, begun, number = [], b"", size // 2 // BLOCK
    while number in blocks and number * BLOCK < size * 3 // 4:
        text = blocks[number].rstrip(b"\0")
        begun += text
        if len(text) < BLOCK:
            notes.append(begun.decode("utf-8", errors="replace"))
            begun = b""
        number += 1
    return notes


def lay(blocks: dict[int, bytes], offset: int, data: bytes) -> None:
    while data:
        number, within = divmod(offset, BLOCK)
        part = data[: BLOCK - within]
        if len(part) < BLOCK:
            block = bytearray(blocks.get(number, bytes(BLOCK)))
            block[within : within + len(part)] = part
            blocks[number] = bytes(block)
        elif any(part):
            blocks[number] = bytes(part)
        offset, data = offset + len(part), data[len(part) :]

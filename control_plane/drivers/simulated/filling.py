"""Makes simulated disks from bytes, as restoring does, and puts builds of a disk out of the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager

from control_plane.drivers.protocol import (
    DataVolumeSpec,
    DiskLocked,
    DriverError,
    StorageFull,
    VolumeSpec,
)
from control_plane.drivers.simulated.disk_content import BLOCK, RECORD, RECORDS_AT, DiskContent
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.storage import DataVolume, Volume
from control_plane.model.ids import ImageId, ServerId

_GIB = 2**30


class SimulatedFilling(ABC):
    """Each method as in HostDriver."""

    machine: Machine

    @abstractmethod
    def _call(self, name: str, server: ServerId | None = None) -> AbstractContextManager[None]: ...

    def fill_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec,
        content: Iterable[tuple[int, bytes]],
    ) -> None:
        owner = _owner(server, volume)
        with self._call("fill_disk", server):
            pool = self.machine.reached(volume.pool)
            if pool.has_build(owner, volume.build):
                raise DiskLocked(f"There is build {volume.build} of {owner} already.")
            if not pool.has_room_for(volume.size):
                raise StorageFull(f"Storage pool {pool.id} has no room for build {volume.build}.")
            pool.reserve_build(owner, volume.build)
        blocks: dict[int, bytes] = {}
        size = volume.size * _GIB
        try:
            for offset, data in content:
                with self._call("fill_disk", server):
                    self.machine.reached(volume.pool)
                if offset < 0 or offset + len(data) > size:
                    raise DriverError(f"{len(data)} bytes at {offset} lie outside of {owner}.")
                _lay(blocks, offset, data)
            with self._call("fill_disk", server):
                self.machine.reached(volume.pool).put_build(_made(server, volume, blocks))
        except Exception:
            pool.drop_build(owner, volume.build)
            raise
        self.machine.around.tell(
            self.machine.host.id, f"fill build {volume.build} of {owner} on {volume.pool}"
        )

    def remove_build(self, server: ServerId | None, volume: VolumeSpec | DataVolumeSpec) -> None:
        owner = _owner(server, volume)
        with self._call("remove_build", server):
            pool = self.machine.reached(volume.pool)
            holder = pool.holder_of(owner, volume.build)
            if holder is not None:
                raise DiskLocked(f"The disk {owner} is locked by {holder}.")
            if pool.drop_build(owner, volume.build):
                self.machine.around.tell(
                    self.machine.host.id, f"remove build {volume.build} of {owner}"
                )


def _owner(server: ServerId | None, volume: VolumeSpec | DataVolumeSpec) -> str:
    if isinstance(volume, DataVolumeSpec):
        return volume.id
    if server is None:
        raise ValueError("a root volume is some server's")
    return server


def _made(
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


def _lay(blocks: dict[int, bytes], offset: int, data: bytes) -> None:
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

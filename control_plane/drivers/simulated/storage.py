"""Shared storage: volumes that several hosts reach, the records on them, and who holds their lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from control_plane.drivers.simulated.tracking import Reading
from control_plane.model.ids import (
    HostId,
    ImageId,
    ServerId,
    SnapshotId,
    StoragePoolId,
    VolumeId,
)
from control_plane.model.units import GiB


@dataclass(slots=True)
class Volume:
    """A server's root disk. `records` counts what its guest has written and flushed, `notes` are
    records with a text, flushed one by one. `lock` is the host whose hypervisor has the disk open;
    it goes when that guest stops or that host loses power, and not when a network is cut."""

    server: ServerId
    pool: StoragePoolId
    size: GiB
    image: ImageId
    build: int = 0
    records: int = 0
    notes: list[str] = field(default_factory=list)
    blocks: dict[int, bytes] = field(default_factory=dict)
    """What else was written, by the number of its block of 4 KiB."""
    lock: HostId | None = None
    spoiled: bool = False
    """Two hosts have written to it at once."""
    crashes: int = 0
    """How often whoever had it open was cut off."""
    reading: Reading | None = None
    """While its server is stopped and read."""

    @property
    def holder(self) -> str | None:
        """Who keeps others from opening it for writing."""
        return self.lock or _reader_of(self.reading)


@dataclass(slots=True)
class DataVolume:
    """A disk beside servers' own. `opened_by` is the server that has it open, `lock` the host that this
    one runs on."""

    id: VolumeId
    pool: StoragePoolId
    size: GiB
    build: int = 0
    notes: list[str] = field(default_factory=list)
    blocks: dict[int, bytes] = field(default_factory=dict)
    lock: HostId | None = None
    opened_by: ServerId | None = None
    reading: Reading | None = None

    @property
    def holder(self) -> str | None:
        return self.lock or self.opened_by or _reader_of(self.reading)


def _reader_of(reading: Reading | None) -> str | None:
    return None if reading is None or reading.why_broken is not None else "a reader of its backup"


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """A disk as it was."""

    size: GiB
    records: int
    notes: tuple[str, ...]
    blocks: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class SharedStorage:
    """One storage pool. `available` is False while it answers nobody."""

    id: StoragePoolId
    capacity: GiB
    available: bool = True
    full: bool = False
    volumes: dict[ServerId, Volume] = field(default_factory=dict)
    data: dict[VolumeId, DataVolume] = field(default_factory=dict)
    snapshots: dict[SnapshotId, dict[VolumeId | None, DiskCopy]] = field(default_factory=dict)
    _used: int = 0

    def has_room_for(self, size: GiB) -> bool:
        return not self.full and self._used + size <= self.capacity

    def add(self, volume: Volume) -> None:
        self.volumes[volume.server] = volume
        self._used += volume.size

    def grow(self, server: ServerId, size: GiB) -> None:
        volume = self.volumes[server]
        self._used += size - volume.size
        volume.size = size

    def remove(self, server: ServerId) -> None:
        volume = self.volumes.pop(server, None)
        if volume is not None:
            self._used -= volume.size

    def add_data(self, volume: DataVolume) -> None:
        self.data[volume.id] = volume
        self._used += volume.size

    def remove_data(self, volume: VolumeId) -> None:
        self._used -= self.data.pop(volume).size

    def add_snapshot(self, snapshot: SnapshotId, disks: dict[VolumeId | None, DiskCopy]) -> None:
        self.snapshots[snapshot] = disks
        self._used += sum(disk.size for disk in disks.values())

    def remove_snapshot(self, snapshot: SnapshotId) -> None:
        disks = self.snapshots.pop(snapshot, {})
        self._used -= sum(disk.size for disk in disks.values())

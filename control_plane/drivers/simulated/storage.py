"""Shared storage: volumes that several hosts reach, the records on them, and who holds their lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.protocol import DiskLocked
from control_plane.drivers.simulated.tracking import Reading
from control_plane.model.ids import (
    HostId,
    ImageId,
    ServerId,
    SnapshotId,
    StoragePoolId,
    VolumeId,
)
from control_plane.model.units import GiB, Seconds


@dataclass(slots=True)
class Leaning:
    """A disk takes from `backing` what it lacks, all but `zeros`. `brought`: what a guest sees of it has been
    brought here, in one go where a real one would bring it piece by piece."""

    backing: str
    zeros: tuple[Extent, ...]
    brought: bool = False
    copied: int = 0
    looked_at: Seconds | None = None


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
    label: str | None = None
    """What it says of itself at its beginning, where it was made from another disk's bytes."""
    leaning: Leaning | None = None

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
    label: str | None = None
    leaning: Leaning | None = None

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
    replaced: Callable[[Volume], None] = lambda _: None
    """Told of a root disk that takes another's place."""
    _beside: dict[tuple[str, int], Volume | DataVolume | None] = field(default_factory=dict)
    """Builds that were filled, or are being filled (None), and that nobody has asked for yet."""
    _used: int = 0

    def root(self, server: ServerId, build: int) -> Volume | None:
        """That build where it is there whole, else whatever stands. Raises DiskLocked where it is
        being filled."""
        standing, filled = self.volumes.get(server), self._filled(server, build)
        if isinstance(filled, Volume) and (standing is None or standing.holder is None):
            del self._beside[server, build]
            if standing is not None:
                self._beside[server, standing.build] = standing
                filled.image = standing.image
            self.volumes[server] = filled
            self.replaced(filled)
            return filled
        return standing

    def data_of(self, volume: VolumeId, build: int) -> DataVolume | None:
        """As `root`."""
        standing, filled = self.data.get(volume), self._filled(volume, build)
        if isinstance(filled, DataVolume) and (standing is None or standing.holder is None):
            del self._beside[volume, build]
            if standing is not None:
                self._beside[volume, standing.build] = standing
            self.data[volume] = filled
            return filled
        return standing

    def _filled(self, owner: str, build: int) -> Volume | DataVolume | None:
        if (owner, build) not in self._beside:
            return None
        filled = self._beside[owner, build]
        if filled is None:
            raise DiskLocked(f"Build {build} of {owner} is being filled.")
        return filled

    def builds(self, owner: str) -> frozenset[int]:
        """All that lie there of one disk, whole or not."""
        beside = {build for disk, build in self._beside if disk == owner}
        standing = self.volumes.get(ServerId(owner)) or self.data.get(VolumeId(owner))
        return frozenset(beside if standing is None else beside | {standing.build})

    def has_build(self, owner: str, build: int) -> bool:
        return (owner, build) in self._beside or self._standing(owner, build) is not None

    def holder_of(self, owner: str, build: int) -> str | None:
        standing = self._standing(owner, build)
        return None if standing is None else standing.holder

    def reserve_build(self, owner: str, build: int) -> None:
        self._beside[owner, build] = None

    def put_build(self, made: Volume | DataVolume) -> None:
        owner = made.server if isinstance(made, Volume) else made.id
        self._beside[owner, made.build] = made
        self._used += made.size

    def drop_build(self, owner: str, build: int) -> bool:
        """Whether there was any."""
        if (owner, build) in self._beside:
            dropped = self._beside.pop((owner, build))
            self._used -= 0 if dropped is None else dropped.size
            return True
        standing = self._standing(owner, build)
        if standing is None:
            return False
        if isinstance(standing, Volume):
            del self.volumes[standing.server]
        else:
            del self.data[standing.id]
        self._used -= standing.size
        return True

    def _standing(self, owner: str, build: int) -> Volume | DataVolume | None:
        found = self.volumes.get(ServerId(owner)) or self.data.get(VolumeId(owner))
        return found if found is not None and found.build == build else None

    def _drop_all_beside(self, owner: str) -> None:
        for key in [key for key in self._beside if key[0] == owner]:
            self.drop_build(*key)

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
        self._drop_all_beside(server)
        volume = self.volumes.pop(server, None)
        if volume is not None:
            self._used -= volume.size

    def add_data(self, volume: DataVolume) -> None:
        self.data[volume.id] = volume
        self._used += volume.size

    def grow_data(self, volume: DataVolume, size: GiB) -> None:
        self._used += size - volume.size
        volume.size = size

    def remove_data(self, volume: VolumeId) -> None:
        self._drop_all_beside(volume)
        self._used -= self.data.pop(volume).size

    def add_snapshot(self, snapshot: SnapshotId, disks: dict[VolumeId | None, DiskCopy]) -> None:
        self.snapshots[snapshot] = disks
        self._used += sum(disk.size for disk in disks.values())

    def remove_snapshot(self, snapshot: SnapshotId) -> None:
        disks = self.snapshots.pop(snapshot, {})
        self._used -= sum(disk.size for disk in disks.values())

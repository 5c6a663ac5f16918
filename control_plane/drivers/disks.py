"""A server's disks: as a driver is told of them, and what it tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from control_plane.model.ids import SnapshotId, StoragePoolId, VolumeId
from control_plane.model.units import GiB


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A server's root disk on shared storage: `pool_path` is the pool's directory on the host. `build`
    counts how often it was made anew from an image. `backing`: where all comes from that it does not hold
    itself, as long as it leans on something."""

    pool: StoragePoolId
    pool_path: str
    size: GiB
    build: int = 0
    backing: str | None = None


@dataclass(frozen=True, slots=True)
class DataVolumeSpec:
    """A disk of its own on shared storage, beside servers' root disks. `order` is its place among its
    server's, from 0. `build` counts how often it was made anew from a snapshot; `backing` as of VolumeSpec."""

    id: VolumeId
    pool: StoragePoolId
    pool_path: str
    size: GiB
    order: int = 0
    build: int = 0
    backing: str | None = None


@dataclass(frozen=True, slots=True)
class SnapshotSpec:
    """Copies of a server's disks as they were at one point in time: its root disk and `volumes`."""

    id: SnapshotId
    pool: StoragePoolId
    pool_path: str
    volumes: tuple[VolumeId, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotDiskSpec:
    """One disk of a snapshot; `volume` None is the root disk."""

    snapshot: SnapshotSpec
    volume: VolumeId | None = None


@dataclass(frozen=True, slots=True)
class Copying:
    """How far disks that lean on others have come to hold all themselves: `done` of `total` bytes, where anything is
    under way. `whole`: they hold all. `waits`: the guest stands still, since it could not be given what it
    wanted to read."""

    done: int = 0
    total: int = 0
    whole: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A disk as the file that it is: qcow2, leaning on no other file. `length` counts the file's bytes,
    `virtual_size` those that a guest sees."""

    length: int
    virtual_size: int


class DiskSink(Protocol):
    """Where an exported disk goes to."""

    def expect(self, disk: DiskFile) -> int:
        """Told first; answers from which byte of the file on it wants it."""
        ...

    def write(self, chunk: bytes) -> None:
        """The next bytes. What it raises ends the export, and reaches whoever asked for it."""
        ...

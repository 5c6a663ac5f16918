"""Volumes, the disks that members make apart from servers, and snapshots of a server's disks.

An attachment is a value with only the transitions that keep one writer per disk: a volume that was
given to a server comes free again by the word of that server's host, or because the server is proved to
run nowhere. What can't be known is not known to be free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.backing import Backing
from control_plane.model.ids import (
    Generation,
    HostId,
    ImageId,
    RegionId,
    ServerId,
    SnapshotId,
    StoragePoolId,
    VolumeId,
)
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.model.workload import Moving, Placed, Power, Seen, Server

MOST_VOLUMES = 12
"""Of one server. An emulated PC has 32 slots on its bus, of which a server's own devices take ten."""


@dataclass(frozen=True, slots=True)
class ClosedOnHost:
    """The only host that may run the server answered: it neither runs it with the disk nor would start
    it so."""

    server: ServerId
    host: HostId


@dataclass(frozen=True, slots=True)
class RunsNowhere:
    """The server is placed on no host, which a host's word or the fence of its host has proved when it
    came to be so."""

    server: ServerId

    @staticmethod
    def of(server: Server) -> RunsNowhere:
        """Raises ValueError where some host may run it."""
        if isinstance(server.placement, Placed | Moving):
            raise ValueError(f"{server.id} is on a host")
        return RunsNowhere(server.id)


LetGo = ClosedOnHost | RunsNowhere
"""Why a server can't write a disk any more."""


@dataclass(frozen=True, slots=True)
class Unattached:
    def attach_to(self, server: ServerId, order: int) -> Attached:
        return Attached(server, order)


@dataclass(frozen=True, slots=True)
class Attached:
    """`order` is its place among the server's volumes, from 0; no two of a server have the same, also
    while one of them is being detached."""

    server: ServerId
    order: int

    def release(self) -> Detaching:
        return Detaching(self.server, self.order)


@dataclass(frozen=True, slots=True)
class Detaching:
    """Nobody else's until its server is proved to have let go."""

    server: ServerId
    order: int

    def let_go(self, proof: LetGo) -> Unattached:
        if proof.server != self.server:
            raise ValueError(f"what {proof.server} let go of says nothing about {self.server}")
        return Unattached()


Attachment = Unattached | Attached | Detaching


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """One disk of a snapshot: `volume` None is the server's root disk."""

    snapshot: SnapshotId
    volume: VolumeId | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk of a tenant on a storage pool.

    `generation` grows with every change of what is wanted of it. `made`: its file stands on the
    storage; from then on it is never made again, so that a file that is missing is never taken for an
    empty disk. `growing`: that file may still be smaller than `size`. `build` counts how often it was
    restored from a snapshot, `source` is what a new one is filled from. `description` and `labels` are
    its owner's words. `plugged`: the hypervisor was last seen to have it for its server. `trouble` says why it could not be made, grown or removed when that was last tried.
    """

    id: VolumeId
    tenant: MunicipalityCode
    region: RegionId
    name: str
    size: GiB
    storage: StoragePoolId
    created_at: datetime
    attachment: Attachment = Unattached()
    source: SnapshotSource | None = None
    made: bool = False
    build: int = 0
    plugged: bool = False
    protected: bool = False
    deleting: bool = False
    trouble: str | None = None
    generation: Generation = Generation(1)
    growing: bool = False
    description: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    backing: Backing | None = None

    @property
    def leans_on(self) -> str | None:
        """Where it takes from what it lacks; None: it holds all."""
        held = self.backing
        return None if held is None or held.build != self.build else held.uri

    @property
    def server(self) -> ServerId | None:
        """Whose it is, also while it is being detached."""
        return None if isinstance(self.attachment, Unattached) else self.attachment.server


class VolumeStatus(StrEnum):
    """What a tenant is told, derived from what is wanted and what is seen."""

    CREATING = "creating"
    AVAILABLE = "available"
    ATTACHING = "attaching"
    IN_USE = "in-use"
    GROWING = "growing"
    """Its disk may still be smaller than its size. Whoever has it goes on."""
    DETACHING = "detaching"
    DELETING = "deleting"
    ERROR = "error"
    UNKNOWN = "unknown"
    """Its server's host does not answer: whether the disk is open there can't be said."""


def status_of_volume(volume: Volume, server: Server | None) -> VolumeStatus:
    """`server` is the one that it is attached to, or being detached from."""
    if volume.trouble is not None:
        return VolumeStatus.ERROR
    if volume.deleting:
        return VolumeStatus.DELETING
    if not volume.made:
        return VolumeStatus.CREATING
    match volume.attachment:
        case Unattached():
            return VolumeStatus.GROWING if volume.growing else VolumeStatus.AVAILABLE
        case _ if server is not None and server.seen is Seen.UNKNOWN:
            return VolumeStatus.UNKNOWN
        case Detaching():
            return VolumeStatus.DETACHING
        case Attached():
            rests = server is not None and (
                server.power is not Power.RUNNING and server.seen is not Seen.RUNNING
            )
            if not (volume.plugged or rests):
                return VolumeStatus.ATTACHING
            return VolumeStatus.GROWING if volume.growing else VolumeStatus.IN_USE


def free_order(volumes: Iterable[Volume]) -> int | None:
    """The first place that none of a server's volumes has; None where all are taken."""
    taken = {
        volume.attachment.order
        for volume in volumes
        if not isinstance(volume.attachment, Unattached)
    }
    return next((order for order in range(MOST_VOLUMES) if order not in taken), None)


@dataclass(frozen=True, slots=True)
class SnapshotDisk:
    """One disk as it was: `volume` None for the root disk."""

    volume: VolumeId | None
    name: str
    size: GiB


@dataclass(frozen=True, slots=True)
class ServerSnapshot:
    """All disks of a server as they were at one point in time, as full copies that refer to nothing
    else. It outlives its server.

    `taken_at` None: it is still to be taken. `quiesced`: nothing was being written just then, because
    the guest held still or did not run; without, it is as after a power cut. `restoring`: the server's disks are to become what it
    holds.
    """

    id: SnapshotId
    tenant: MunicipalityCode
    region: RegionId
    name: str
    server: ServerId
    server_name: str
    image: ImageId
    storage: StoragePoolId
    disks: tuple[SnapshotDisk, ...]
    created_at: datetime
    taken_at: datetime | None = None
    quiesced: bool = False
    restoring: bool = False
    deleting: bool = False
    trouble: str | None = None
    generation: Generation = Generation(1)

    @property
    def size(self) -> GiB:
        return GiB(sum(disk.size for disk in self.disks))

    def disk(self, volume: VolumeId | None) -> SnapshotDisk | None:
        return next((disk for disk in self.disks if disk.volume == volume), None)


class SnapshotStatus(StrEnum):
    CREATING = "creating"
    AVAILABLE = "available"
    RESTORING = "restoring"
    DELETING = "deleting"
    ERROR = "error"


def status_of_snapshot(snapshot: ServerSnapshot) -> SnapshotStatus:
    if snapshot.trouble is not None:
        return SnapshotStatus.ERROR
    if snapshot.deleting:
        return SnapshotStatus.DELETING
    if snapshot.taken_at is None:
        return SnapshotStatus.CREATING
    return SnapshotStatus.RESTORING if snapshot.restoring else SnapshotStatus.AVAILABLE

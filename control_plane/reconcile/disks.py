"""What is wanted of disks beside servers' root disks, and what to do about a server's. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from control_plane.drivers.protocol import ObservedServer
from control_plane.model.ids import Generation, HostId, ServerId, VolumeId
from control_plane.model.volume import Attached, Detaching, ServerSnapshot, Unattached, Volume
from control_plane.model.workload import Server


@dataclass(frozen=True, slots=True)
class FitVolumes:
    """Give a server the volumes that it is to have and does not, and take those that it is not to have.
    `listed` is None where its host has no definition of it."""

    server: Server
    host: HostId
    listed: Generation | None
    runs: bool
    give: frozenset[VolumeId]
    take: frozenset[VolumeId]


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """`defined`: its host has a definition of it, as of a server that runs or has run there."""

    server: Server
    host: HostId
    snapshot: ServerSnapshot
    defined: bool


@dataclass(frozen=True, slots=True)
class RestoreSnapshot:
    """Its disks are to be made from a snapshot before it may start again."""

    server: Server
    host: HostId
    snapshot: ServerSnapshot


@dataclass(frozen=True, slots=True)
class GrowVolumes:
    """Disks that a server has are to become as large as was asked for. `listed` is None where its host
    has no definition of it."""

    server: Server
    host: HostId
    listed: Generation | None
    grow: frozenset[VolumeId]


DiskAction = FitVolumes | GrowVolumes | TakeSnapshot | RestoreSnapshot


@dataclass(frozen=True, slots=True)
class Disks:
    """All volumes, by the server that has them or is still to let them go; and the first snapshot of each
    server that is to be taken or restored. `unwanted` snapshots are to be removed."""

    volumes: Mapping[ServerId, tuple[Volume, ...]] = field(default_factory=dict)
    free: tuple[Volume, ...] = ()
    to_take: Mapping[ServerId, ServerSnapshot] = field(default_factory=dict)
    to_restore: Mapping[ServerId, ServerSnapshot] = field(default_factory=dict)
    unwanted: tuple[ServerSnapshot, ...] = ()

    @staticmethod
    def of(volumes: Iterable[Volume], snapshots: Iterable[ServerSnapshot]) -> Disks:
        """`snapshots`: the unfinished ones, oldest first."""
        held: defaultdict[ServerId, list[Volume]] = defaultdict(list)
        free = []
        for volume in volumes:
            match volume.attachment:
                case Unattached():
                    free.append(volume)
                case at:
                    held[at.server].append(volume)
        take: dict[ServerId, ServerSnapshot] = {}
        restore: dict[ServerId, ServerSnapshot] = {}
        unwanted = []
        for snapshot in snapshots:
            if snapshot.deleting:
                unwanted.append(snapshot)
            elif snapshot.taken_at is None:
                take.setdefault(snapshot.server, snapshot)
            elif snapshot.restoring:
                restore.setdefault(snapshot.server, snapshot)
        by_server = {server: tuple(those) for server, those in held.items()}
        return Disks(by_server, tuple(free), take, restore, tuple(unwanted))

    def wanted(self, server: ServerId) -> tuple[Volume, ...]:
        """Those that it is to have now, by their order."""
        held = [
            (volume.attachment.order, volume)
            for volume in self.volumes.get(server, ())
            if isinstance(volume.attachment, Attached) and volume.made
        ]
        return tuple(volume for _, volume in sorted(held, key=lambda each: each[0]))

    def growing(self, server: Server) -> tuple[Volume, ...]:
        """Those to be made larger; none as long as any of its disks leans on what it was restored from."""
        held = self.wanted(server.id)
        if server.leans_on is not None or any(each.leans_on is not None for each in held):
            return ()
        return tuple(each for each in held if each.growing)

    def leaving(self, server: ServerId) -> tuple[Volume, ...]:
        return tuple(
            volume
            for volume in self.volumes.get(server, ())
            if isinstance(volume.attachment, Detaching)
        )


def fit(
    server: Server, host: HostId, machine: ObservedServer | None, *, runs: bool, disks: Disks
) -> FitVolumes | None:
    """What is missing of a server's volumes or too much, where it is at home; None where all is well.

    A volume that is being detached is asked for again until the driver says that it is closed, also
    where the listing no longer shows it: only the driver looks whether its file is."""
    wanted = frozenset(volume.id for volume in disks.wanted(server.id))
    has = frozenset() if machine is None else machine.volumes
    give = frozenset() if machine is None else wanted - has
    take = (has - wanted) | {volume.id for volume in disks.leaving(server.id)}
    if not give and not take:
        return None
    listed = None if machine is None else machine.generation
    return FitVolumes(server, host, listed, runs, give, take)


def growth(
    server: Server, host: HostId, machine: ObservedServer | None, disks: Disks
) -> GrowVolumes | None:
    """Of a server that has the volumes that it is to have."""
    grow = frozenset(volume.id for volume in disks.growing(server))
    if not grow:
        return None
    return GrowVolumes(server, host, None if machine is None else machine.generation, grow)

"""Carries out on a host what is to be done about one server's volumes and snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.drivers.disks import DataVolumeSpec, SnapshotSpec
from control_plane.drivers.protocol import (
    DriverError,
    HostDriver,
    HostUnreachable,
    MovedOn,
    ServerSpec,
)
from control_plane.drivers.world import Clock
from control_plane.model.ids import VolumeId
from control_plane.model.volume import ServerSnapshot
from control_plane.model.workload import Server
from control_plane.reconcile.disks import (
    DiskAction,
    FitVolumes,
    GrowVolumes,
    RestoreSnapshot,
    TakeSnapshot,
)


@dataclass(frozen=True, slots=True)
class DisksDone:
    """What the host said of it: volumes that no hypervisor has open any more, those that the guest holds
    on to where nothing else went wrong, those that are as large now as asked for, and when a snapshot was
    taken and whether nothing was being written just then."""

    closed: frozenset[VolumeId] = frozenset()
    held: frozenset[VolumeId] = frozenset()
    grown: tuple[DataVolumeSpec, ...] = ()
    taken_at: datetime | None = None
    quiesced: bool = False


NOTHING_DONE = DisksDone()


class StillOpen(DriverError):
    """Some of a server's volumes could not be given, taken or grown; `done` is what could."""

    def __init__(self, text: str, done: DisksDone) -> None:
        super().__init__(text)
        self.done = done


def carry_out(
    action: DiskAction,
    driver: HostDriver,
    spec: ServerSpec,
    clock: Clock,
    insist: Callable[[Server], None],
) -> DisksDone:
    """`insist` raises where the decision was overtaken. Raises StillOpen, DriverError."""
    match action:
        case FitVolumes():
            return _fit(action, driver, spec, insist)
        case GrowVolumes():
            return _grow(action, driver, spec, insist)
        case TakeSnapshot(snapshot=snapshot, defined=defined):
            if not defined:
                driver.define(spec)
            at = clock.now()
            quiesced = driver.snapshot(spec, snapshot_spec(snapshot, spec))
            return DisksDone(taken_at=at, quiesced=quiesced)
        case RestoreSnapshot(snapshot=snapshot):
            driver.restore_snapshot(spec, snapshot_spec(snapshot, spec))
            return NOTHING_DONE


def _fit(
    action: FitVolumes, driver: HostDriver, spec: ServerSpec, insist: Callable[[Server], None]
) -> DisksDone:
    """One volume that can't be given or taken doesn't keep the others waiting."""
    server = action.server
    listed = server.generation if action.listed is None else action.listed
    if action.listed is not None and not action.runs:
        driver.define(spec)
        listed = server.generation
    troubles = []
    for volume in spec.data_volumes if action.runs else ():
        if volume.id not in action.give:
            continue
        insist(server)
        try:
            driver.attach(server.id, volume, listed)
        except (HostUnreachable, MovedOn):
            raise
        except DriverError as error:
            troubles.append(str(error))
    closed: set[VolumeId] = set()
    held: set[VolumeId] = set()
    for taken in sorted(action.take):
        insist(server)
        (closed if driver.detach(server.id, taken, listed) else held).add(taken)
    done = DisksDone(frozenset(closed))
    if troubles:
        raise StillOpen("; ".join(troubles), done)
    if held:
        text = f"the guest of server {server.name} holds on to {', '.join(sorted(held))}"
        raise StillOpen(text, replace(done, held=frozenset(held)))
    return done


def _grow(
    action: GrowVolumes, driver: HostDriver, spec: ServerSpec, insist: Callable[[Server], None]
) -> DisksDone:
    server = action.server
    listed = server.generation if action.listed is None else action.listed
    grown, troubles = [], []
    for volume in spec.data_volumes:
        if volume.id not in action.grow:
            continue
        insist(server)
        try:
            driver.grow_data_volume(volume, server.id, listed)
        except (HostUnreachable, MovedOn):
            raise
        except DriverError as error:
            troubles.append(str(error))
        else:
            grown.append(volume)
    done = DisksDone(grown=tuple(grown))
    if troubles:
        raise StillOpen("; ".join(troubles), done)
    return done


def snapshot_spec(snapshot: ServerSnapshot, spec: ServerSpec) -> SnapshotSpec:
    """A snapshot lies where its server's disks do. Raises DriverError where they have gone elsewhere."""
    if snapshot.storage != spec.volume.pool:
        raise DriverError(f"Snapshot {snapshot.id} is not on the storage of server {spec.id}")
    disks = tuple(disk.volume for disk in snapshot.disks if disk.volume is not None)
    return SnapshotSpec(snapshot.id, snapshot.storage, spec.volume.pool_path, disks)

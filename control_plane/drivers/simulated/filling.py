"""Makes simulated disks from bytes, as restoring does, and puts builds of a disk out of the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.disks import Copying, DataVolumeSpec, VolumeSpec
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    RunState,
    ServerSpec,
    StorageFull,
    StorageUnavailable,
)
from control_plane.drivers.simulated.leaning import copy_on
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.made_disk import lay, made_of
from control_plane.drivers.simulated.storage import DataVolume, Leaning, Volume
from control_plane.model.ids import ServerId

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
                lay(blocks, offset, data)
            with self._call("fill_disk", server):
                self.machine.reached(volume.pool).put_build(made_of(server, volume, blocks))
        except Exception:
            pool.drop_build(owner, volume.build)
            raise
        self.machine.around.tell(
            self.machine.host.id, f"fill build {volume.build} of {owner} on {volume.pool}"
        )

    def lean_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec,
        zeros: Iterable[Extent],
    ) -> None:
        if volume.backing is None:
            raise ValueError("a disk that leans on nothing")
        owner = _owner(server, volume)
        leaning = Leaning(volume.backing, tuple(zeros))
        with self._call("lean_disk", server):
            pool = self.machine.reached(volume.pool)
            if pool.has_build(owner, volume.build):
                raise DiskLocked(f"There is build {volume.build} of {owner} already.")
            if not pool.has_room_for(volume.size):
                raise StorageFull(f"Storage pool {pool.id} has no room for build {volume.build}.")
            made = made_of(server, volume, {})
            made.leaning = leaning
            pool.put_build(made)
        self.machine.around.tell(
            self.machine.host.id, f"make build {volume.build} of {owner}, which leans on a backup"
        )

    def copy_in(self, spec: ServerSpec) -> Copying:
        with self._call("copy_in", spec.id):
            machine = self.machine
            disks: list[Volume | DataVolume] = []
            root = machine.reached(spec.volume.pool).root(spec.id, spec.volume.build)
            if root is None:
                raise StorageUnavailable(f"{spec.id} has no disk on {spec.volume.pool}.")
            if root.lock not in (None, machine.host.id):
                raise DiskLocked(f"The disk of {spec.id} is locked by {root.lock}.")
            if spec.volume.backing is not None:
                disks.append(root)
            disks += [
                machine.data_volume(spec.id, each)
                for each in spec.data_volumes
                if each.backing is not None
            ]
            copied = copy_on(machine.around, disks)
            guest = machine.guests.get(spec.id)
            if copied is not None:
                return copied
            if guest is not None and guest.state is RunState.RUNNING:
                machine.pause_guest(spec.id)
            return Copying(waits=guest is not None)

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

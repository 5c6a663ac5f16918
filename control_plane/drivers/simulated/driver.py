"""The hypervisor driver of one simulated host; its words and errors are those of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from control_plane.drivers.backup_source import BackupSource
from control_plane.drivers.disks import (
    DataVolumeSpec,
    DiskFile,
    DiskSink,
    SnapshotDiskSpec,
    SnapshotSpec,
    VolumeSpec,
)
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    HostFacts,
    ImageCorrupt,
    MovedOn,
    NoSuchServer,
    ObservedServer,
    RunState,
    ServerSpec,
    StorageFull,
)
from control_plane.drivers.simulated import backups, disks
from control_plane.drivers.simulated.call import Call
from control_plane.drivers.simulated.filling import SimulatedFilling
from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.guests import SimulatedGuests
from control_plane.drivers.simulated.leaning import require_whole
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.premises import Premises
from control_plane.drivers.simulated.storage import SharedStorage, Volume
from control_plane.model.ids import Generation, ServerId, VolumeId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint
from control_plane.model.units import GiB, Resources, Seconds

_MOST_CONSOLE = 1024 * 1024
_PIECE = 128 * 1024
"""Of a disk that is exported, at a time: a whole one takes several calls, between which all may happen."""


class SimulatedDriver(SimulatedFilling, SimulatedGuests):
    """Speaks to one simulated host on behalf of one process."""

    def __init__(self, world: Premises, gate: Gate, machine: Machine) -> None:
        self.world = world
        self.gate = gate
        self.machine = machine

    def facts(self) -> HostFacts:
        with self._call("facts"):
            return HostFacts(
                hypervisor="simulated",
                version="1",
                capacity=self.machine.host.capacity,
                accelerated=True,
                foreign=tuple(sorted(self.machine.foreign)),
            )

    def list_servers(self) -> Sequence[ObservedServer]:
        with self._call("list_servers"):
            machine = self.machine
            return [
                ObservedServer(
                    server,
                    spec.generation,
                    self._state(machine, server),
                    _booted(machine, spec),
                    _volumes(machine, spec),
                )
                for server, spec in sorted(machine.definitions.items())
            ]

    def ensure_image(self, image: Image) -> None:
        with self._call("ensure_image"):
            self._fetch(image)

    def _fetch(self, image: Image) -> None:
        machine = self.machine
        if (image.id, image.sha256) in machine.images:
            return
        if machine.cache_full:
            raise StorageFull(f"{machine} has no room for image {image.id}.")
        broken = self.world.around.corrupt_arrivals
        if broken.get(image.id, 0) > 0:
            broken[image.id] -= 1
            raise ImageCorrupt(
                f"Image {image.id} arrived on {machine} with a different sha256 than the catalogue's."
            )
        stored = self.world.image_files.get(image.location, image.sha256)
        if stored != image.sha256:
            raise ImageCorrupt(
                f"Image {image.id} arrived on {machine} with sha256 {stored[:12]}…, not {image.sha256[:12]}…."
            )
        machine.images.add((image.id, image.sha256))

    def ensure_volume(self, spec: ServerSpec) -> None:
        with self._call("ensure_volume", spec.id):
            pool = self.machine.reached(spec.volume.pool)
            standing = pool.root(spec.id, spec.volume.build)
            if standing is not None and standing.build == spec.volume.build:
                self._grow(pool, spec)
                return
            if standing is not None:
                disks.require_latest(spec.id, standing.build, spec.volume.build)
            self._fetch(spec.image)
            if standing is not None:
                if standing.holder is not None:
                    raise DiskLocked(f"The disk of {spec.id} is locked by {standing.holder}.")
                pool.remove(spec.id)
                self._tell(f"remove disk of {spec.id} from {pool.id} to make it anew")
            if not pool.has_room_for(spec.volume.size):
                raise StorageFull(
                    f"Storage pool {pool.id} has no room for {spec.volume.size} GiB of {spec.id}."
                )
            volume = spec.volume
            pool.add(Volume(spec.id, pool.id, volume.size, spec.image.id, volume.build))
            self._tell(f"make disk of {spec.id} on {pool.id}")

    def grow_volume(self, spec: ServerSpec) -> None:
        with self._call("grow_volume", spec.id):
            defined = self._defined(spec.id)
            if defined.volume.size >= spec.volume.size:
                return
            require_whole(self.machine.guests.get(spec.id), spec.id)
            self.machine.backups.make_way(spec.id)
            self._grow(self.machine.reached(spec.volume.pool), spec)
            volume = replace(defined.volume, size=spec.volume.size)
            self.machine.definitions[spec.id] = replace(defined, volume=volume)

    def _grow(self, pool: SharedStorage, spec: ServerSpec) -> None:
        standing = pool.volumes.get(spec.id)
        if standing is None or standing.size >= spec.volume.size:
            return
        if standing.lock is None and standing.holder is not None:
            raise DiskLocked(f"The disk of {spec.id} is locked by {standing.holder}.")
        if not pool.has_room_for(GiB(spec.volume.size - standing.size)):
            raise StorageFull(
                f"Storage pool {pool.id} has no room to grow the disk of {spec.id} to {spec.volume.size} GiB."
            )
        pool.grow(spec.id, spec.volume.size)
        self._tell(f"grow disk of {spec.id} to {spec.volume.size} GiB")

    def remove_volume(self, server: ServerId, volume: VolumeSpec) -> None:
        with self._call("remove_volume", server):
            pool = self.machine.reached(volume.pool)
            found = pool.volumes.get(server)
            if found is None:
                return
            if found.holder is not None:
                raise DiskLocked(f"The disk of {server} is locked by {found.holder}.")
            pool.remove(server)
            self._tell(f"remove disk of {server} from {pool.id}")

    def export_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec | SnapshotDiskSpec,
        sink: DiskSink,
    ) -> None:
        def look() -> tuple[bytes, int]:
            with self._call("export_disk", server):
                return disks.exported(self.machine, server, volume)

        file, size = look()
        place = sink.expect(DiskFile(len(file), size))
        while place < len(file):
            if look() != (file, size):
                raise DriverError("The disk changed while it was exported.")
            sink.write(file[place : place + _PIECE])
            place += _PIECE
        match volume:
            case DataVolumeSpec():
                name: str = volume.id
            case SnapshotDiskSpec():
                name = f"disk of {volume.snapshot.id}"
            case VolumeSpec():
                name = f"disk of {server}"
        self._tell(f"export {name}")

    def ensure_data_volume(
        self, volume: DataVolumeSpec, source: SnapshotDiskSpec | None = None
    ) -> None:
        with self._call("ensure_data_volume"):
            disks.make(self.machine, volume, source)

    def remove_data_volume(self, volume: DataVolumeSpec) -> None:
        with self._call("remove_data_volume"):
            disks.remove(self.machine, volume)

    def grow_data_volume(
        self, volume: DataVolumeSpec, server: ServerId | None, listed: Generation
    ) -> None:
        with self._call("grow_data_volume", server):
            guest = None if server is None else self.machine.guests.get(server)
            if server is not None and guest is not None and volume.id in guest.disks:
                self._insist(server, listed)
            disks.grow(self.machine, server, volume)

    def attach(self, server: ServerId, volume: DataVolumeSpec, listed: Generation) -> None:
        with self._call("attach", server):
            self._insist(server, listed)
            disks.attach(self.machine, server, volume)

    def detach(self, server: ServerId, volume: VolumeId, listed: Generation) -> bool:
        with self._call("detach", server):
            self._insist(server, listed)
            clings = server in self.world.clinging_guests or server in self.world.deaf_guests
            return disks.detach(self.machine, server, volume, clings=clings)

    def snapshot(self, spec: ServerSpec, snapshot: SnapshotSpec) -> bool:
        with self._call("snapshot", spec.id):
            deaf = spec.id in self.world.deaf_guests
            return disks.snapshot(self.machine, spec, snapshot, deaf=deaf)

    def remove_snapshot(self, snapshot: SnapshotSpec) -> None:
        with self._call("remove_snapshot"):
            disks.remove_snapshot(self.machine, snapshot)

    def restore_snapshot(self, spec: ServerSpec, snapshot: SnapshotSpec) -> None:
        with self._call("restore_snapshot", spec.id):
            disks.restore(self.machine, spec, snapshot)

    def open_backup(
        self, spec: ServerSpec, *, checkpoint: str, since: str | None, quiesce: bool
    ) -> AbstractContextManager[BackupSource]:
        asked = backups.Asked(spec, checkpoint, since, quiesce)
        return backups.open_backup(self.world, self.machine, self.gate, self._call, asked)

    def end_backup(self, server: ServerId) -> None:
        with self._call("end_backup", server):
            self.machine.backups.end(server)

    def define(self, spec: ServerSpec) -> None:
        with self._call("define", spec.id):
            machine = self.machine
            before = machine.definitions.get(spec.id)
            if before == spec:
                return
            if before is not None and spec.id in machine.guests:
                machine.definitions[spec.id] = replace(
                    before,
                    generation=spec.generation,
                    name=spec.name,
                    volume=replace(before.volume, backing=spec.volume.backing),
                    data_volumes=spec.data_volumes,
                )
            else:
                machine.definitions[spec.id] = spec
            self._tell(f"define {spec.id} on {machine} gen {spec.generation}")

    def start(self, server: ServerId) -> None:
        with self._call("start", server):
            machine = self.machine
            spec = self._defined(server)
            if server in machine.arriving:
                raise DriverError(f"{server} is still arriving on {machine}.")
            guest = machine.guests.get(server)
            if guest is not None and guest.state is RunState.RUNNING:
                return
            if guest is not None:
                machine.unpause(server)
                self._tell(f"unpause {server} on {machine} gen {spec.generation}")
                return
            try:
                machine.start_guest(server)
            except DriverError as error:
                self._tell(f"start {server} on {machine} gen {spec.generation} refused: {error}")
                raise
            self._tell(f"start {server} on {machine} gen {spec.generation}")

    def shut_down(self, server: ServerId, grace: Seconds, listed: Generation) -> bool:
        with self._call("shut_down", server):
            machine = self.machine
            self._insist(server, listed)
            guest = machine.guests.get(server)
            if guest is None:
                return True
            self._tell(f"shut down {server} on {machine}")
            takes = self.world.timing.guest_stop
            obeys = server not in self.world.deaf_guests and machine.can_write(guest)
            if obeys and takes <= grace:
                deaths = machine.deaths
                self.world.virtual_clock.sleep(takes)
                if machine.guests.get(server) is guest and machine.deaths == deaths:
                    machine.stop_guest(server, flushed=True)
            else:
                self.world.virtual_clock.sleep(grace)
            self._insist(server, listed)
            return server not in machine.guests

    def destroy(self, server: ServerId, listed: Generation) -> None:
        with self._call("destroy", server):
            machine = self.machine
            self._insist(server, listed)
            if server in machine.arriving:
                machine.arriving.pop(server)
                self._tell(f"destroy arriving {server} on {machine}")
            elif machine.stop_guest(server, flushed=False) is not None:
                self._tell(f"destroy {server} on {machine}")

    def undefine(self, server: ServerId, listed: Generation) -> None:
        with self._call("undefine", server):
            machine = self.machine
            self._insist(server, listed)
            if server in machine.guests or server in machine.arriving:
                raise DriverError(f"{server} still runs on {machine}, so it stays defined.")
            machine.backups.forget(server)
            if machine.definitions.pop(server, None) is not None:
                self._tell(f"undefine {server} on {machine}")

    def resize(self, server: ServerId, size: Resources) -> None:
        with self._call("resize", server):
            spec = self._defined(server)
            if spec.size != size:
                self.machine.resized(server, replace(spec, size=size))
                self._tell(f"resize {server} on {self.machine} to {size}")

    def migrate(self, server: ServerId, target: Endpoint) -> None:
        with self._call("migrate", server):
            self.world.migrations.migrate(self.machine, server, self.world.machine_at(target))

    def console(self, server: ServerId, tail_bytes: int) -> str:
        with self._call("console", server):
            spec = self._defined(server)
            lines = [f"{spec.name}: simulated console"]
            if self.machine.guest_answers(server):
                lines.append(f"{spec.name} login:")
            text = "".join(f"{line}\n" for line in lines).encode()
            most = max(0, min(tail_bytes, _MOST_CONSOLE))
            return text[len(text) - min(most, len(text)) :].decode(errors="ignore")

    def close(self) -> None:
        """Nothing is held open."""

    def _call(self, name: str, server: ServerId | None = None) -> Call:
        return Call(self.world, self.gate, self.machine, name, server)

    def _defined(self, server: ServerId) -> ServerSpec:
        spec = self.machine.definitions.get(server)
        if spec is None:
            raise NoSuchServer(f"{self.machine} has no definition of {server}.")
        return spec

    def _insist(self, server: ServerId, listed: Generation) -> None:
        spec = self.machine.definitions.get(server)
        if spec is not None and spec.generation != listed:
            raise MovedOn(
                f"{server} on {self.machine} has generation {spec.generation} by now, not {listed}."
            )

    @staticmethod
    def _state(machine: Machine, server: ServerId) -> RunState:
        if server in machine.arriving:
            return RunState.PAUSED
        guest = machine.guests.get(server)
        return RunState.STOPPED if guest is None else guest.state

    def _tell(self, text: str) -> None:
        self.world.around.tell(self.machine.host.id, text)


def _booted(machine: Machine, spec: ServerSpec) -> Generation:
    guest = machine.guests.get(spec.id)
    return spec.generation if guest is None else guest.booted


def _volumes(machine: Machine, spec: ServerSpec) -> frozenset[VolumeId]:
    guest = machine.guests.get(spec.id)
    if guest is not None:
        return frozenset(guest.disks)
    return frozenset(volume.id for volume in spec.data_volumes)

"""What a simulated host does with volumes beside the root disk, and with copies of all disks."""

from __future__ import annotations

from dataclasses import replace

from control_plane.drivers.disks import DataVolumeSpec, SnapshotDiskSpec, SnapshotSpec, VolumeSpec
from control_plane.drivers.leaning import require_whole
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    MovedOn,
    NoSuchDisk,
    NoSuchServer,
    ServerSpec,
    StorageFull,
    StorageUnavailable,
)
from control_plane.drivers.simulated.disk_file import boot_sector, qcow2_of
from control_plane.drivers.simulated.leaning import require_whole as require_whole_guest
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.storage import DataVolume, DiskCopy, SharedStorage, Volume
from control_plane.model.ids import ServerId, VolumeId
from control_plane.model.units import GiB


def make(machine: Machine, wanted: DataVolumeSpec, source: SnapshotDiskSpec | None) -> None:
    pool = machine.reached(wanted.pool)
    if pool.data_of(wanted.id, wanted.build) is not None:
        return
    copy = None if source is None else _copy(machine, source)
    _need_room(pool, wanted.size, wanted.id)
    volume = DataVolume(wanted.id, pool.id, wanted.size, wanted.build)
    if copy is not None:
        volume.notes, volume.blocks = list(copy.notes), dict(copy.blocks)
    pool.add_data(volume)
    _tell(machine, f"make volume {wanted.id} on {pool.id}")


def remove(machine: Machine, wanted: DataVolumeSpec) -> None:
    pool = machine.reached(wanted.pool)
    found = pool.data.get(wanted.id)
    if found is None:
        return
    _refuse_open(found)
    pool.remove_data(wanted.id)
    _tell(machine, f"remove volume {wanted.id} from {pool.id}")


def grow(machine: Machine, server: ServerId | None, wanted: DataVolumeSpec) -> None:
    pool = machine.reached(wanted.pool)
    guest = None if server is None else machine.guests.get(server)
    open_here = None if guest is None else guest.disks.get(wanted.id)
    found = open_here or pool.data_of(wanted.id, wanted.build)
    if found is None or found.build != wanted.build:
        raise StorageUnavailable(f"{machine} finds no volume {wanted.id} on pool {wanted.pool}.")
    if found.size >= wanted.size:
        return
    if open_here is None:
        _refuse_open(found)
        _refuse_leaning(found)
    elif server is not None:
        require_whole_guest(guest, server)
        machine.backups.make_way(server)
    _need_room(pool, GiB(wanted.size - found.size), wanted.id)
    pool.grow_data(found, wanted.size)
    _tell(machine, f"grow volume {wanted.id} to {wanted.size} GiB")


def attach(machine: Machine, server: ServerId, wanted: DataVolumeSpec) -> None:
    spec = machine.definitions.get(server)
    if spec is None:
        raise NoSuchServer(f"{machine} has no definition of {server}.")
    volume = machine.data_volume(server, wanted)
    others = tuple(each for each in spec.data_volumes if each.id != wanted.id)
    machine.definitions[server] = _with_volumes(spec, (*others, wanted))
    guest = machine.guests.get(server)
    if guest is not None and wanted.id not in guest.disks:
        guest.disks[wanted.id] = volume
        machine.open_disk(server, volume)
        _tell(machine, f"attach {wanted.id} to {server} on {machine}")


def detach(machine: Machine, server: ServerId, volume: VolumeId, *, clings: bool) -> bool:
    spec = machine.definitions.get(server)
    if spec is None:
        return True
    left = tuple(each for each in spec.data_volumes if each.id != volume)
    machine.definitions[server] = _with_volumes(spec, left)
    guest = machine.guests.get(server)
    if guest is None or volume not in guest.disks:
        return True
    if clings or not machine.guest_answers(server):
        return False
    machine.backups.make_way(server)
    machine.close_disk(server, guest.disks.pop(volume))
    _tell(machine, f"detach {volume} from {server} on {machine}")
    return True


def _with_volumes(spec: ServerSpec, volumes: tuple[DataVolumeSpec, ...]) -> ServerSpec:
    return replace(spec, data_volumes=tuple(sorted(volumes, key=lambda each: each.order)))


def snapshot(machine: Machine, spec: ServerSpec, wanted: SnapshotSpec, *, deaf: bool) -> bool:
    """True where the guest answered, and so held still, or did not run."""
    require_whole(spec)
    pool = machine.reached(wanted.pool)
    if wanted.id in pool.snapshots:
        return False
    if spec.id not in machine.definitions:
        raise NoSuchServer(f"{machine} has no definition of {spec.id}.")
    machine.backups.make_way(spec.id)
    machine.count_records(spec.id)
    root = _root(machine, spec)
    disks: dict[VolumeId | None, DiskCopy] = {
        None: DiskCopy(root.size, root.records, tuple(root.notes), dict(root.blocks))
    }
    for each in spec.data_volumes:
        if each.id in wanted.volumes:
            volume = machine.data_volume(spec.id, each)
            disks[each.id] = DiskCopy(volume.size, 0, tuple(volume.notes), dict(volume.blocks))
    _need_room(pool, GiB(sum(disk.size for disk in disks.values())), wanted.id)
    pool.add_snapshot(wanted.id, disks)
    _tell(machine, f"copy the disks of {spec.id} to {wanted.id}")
    return spec.id not in machine.guests or (machine.guest_answers(spec.id) and not deaf)


def _root(machine: Machine, spec: ServerSpec) -> Volume:
    root = machine.reached(spec.volume.pool).root(spec.id, spec.volume.build)
    if root is None:
        raise StorageUnavailable(f"{spec.id} has no disk on storage pool {spec.volume.pool}.")
    if root.holder not in (None, machine.host.id):
        raise DiskLocked(f"The disk of {spec.id} is locked by {root.holder}.")
    return root


def remove_snapshot(machine: Machine, wanted: SnapshotSpec) -> None:
    pool = machine.reached(wanted.pool)
    if wanted.id in pool.snapshots:
        pool.remove_snapshot(wanted.id)
        _tell(machine, f"remove {wanted.id} from {pool.id}")


def require_latest(owner: str, standing: int, wanted: int) -> None:
    """Raises MovedOn where a later build stands."""
    if standing > wanted:
        raise MovedOn(f"Build {standing} of {owner} has taken the place of build {wanted}.")


def restore(machine: Machine, spec: ServerSpec, wanted: SnapshotSpec) -> None:
    root_copy = _copy(machine, SnapshotDiskSpec(wanted))
    pool = machine.reached(spec.volume.pool)
    root = pool.volumes.get(spec.id)
    if root is not None:
        require_latest(spec.id, root.build, spec.volume.build)
    if root is None or root.build != spec.volume.build:
        if root is not None and root.holder is not None:
            raise DiskLocked(f"The disk of {spec.id} is locked by {root.holder}.")
        pool.remove(spec.id)
        made = Volume(spec.id, pool.id, spec.volume.size, spec.image.id, spec.volume.build)
        made.records, made.notes = root_copy.records, list(root_copy.notes)
        made.blocks = dict(root_copy.blocks)
        pool.add(made)
        machine.around.monitor.replaced(spec.id, made.records)
        _tell(machine, f"restore disk of {spec.id} from {wanted.id}")
    for each in spec.data_volumes:
        if each.id in wanted.volumes:
            _restore_volume(machine, each, SnapshotDiskSpec(wanted, each.id))


def _restore_volume(machine: Machine, wanted: DataVolumeSpec, source: SnapshotDiskSpec) -> None:
    copy = _copy(machine, source)
    pool = machine.reached(wanted.pool)
    found = pool.data.get(wanted.id)
    if found is not None:
        require_latest(wanted.id, found.build, wanted.build)
    if found is not None and found.build == wanted.build:
        return
    if found is not None:
        _refuse_open(found)
        pool.remove_data(wanted.id)
    made = DataVolume(wanted.id, pool.id, wanted.size, wanted.build, list(copy.notes))
    made.blocks = dict(copy.blocks)
    pool.add_data(made)
    _tell(machine, f"restore volume {wanted.id} from {source.snapshot.id}")


def _copy(machine: Machine, source: SnapshotDiskSpec) -> DiskCopy:
    pool = machine.reached(source.snapshot.pool)
    found = pool.snapshots.get(source.snapshot.id, {}).get(source.volume)
    if found is None:
        raise StorageUnavailable(
            f"{machine} finds no such disk in snapshot {source.snapshot.id} on pool {pool.id}."
        )
    return found


def _refuse_open(volume: DataVolume) -> None:
    if volume.holder is not None:
        raise DiskLocked(f"The volume {volume.id} is locked by {volume.holder}.")


def _refuse_leaning(disk: Volume | DataVolume) -> None:
    if disk.leaning is not None:
        raise DriverError("The disk leans on another, so it is not whole.")


def _need_room(pool: SharedStorage, size: GiB, what: str) -> None:
    if not pool.has_room_for(size):
        raise StorageFull(f"Storage pool {pool.id} has no room for {size} GiB of {what}.")


def _tell(machine: Machine, text: str) -> None:
    machine.around.tell(machine.host.id, text)


def exported(
    machine: Machine,
    server: ServerId | None,
    wanted: VolumeSpec | DataVolumeSpec | SnapshotDiskSpec,
) -> tuple[bytes, int]:
    """The disk as the file that it is outside of the simulation, and the bytes that a guest sees."""
    if isinstance(wanted, SnapshotDiskSpec):
        return _exported_copy(machine, wanted)
    pool = machine.reached(wanted.pool)
    if isinstance(wanted, DataVolumeSpec):
        data = pool.data_of(wanted.id, wanted.build)
        if data is None:
            raise NoSuchDisk(f"Storage pool {pool.id} has no volume {wanted.id}.")
        _refuse_open(data)
        _refuse_leaning(data)
        return _file_of(data.size, [data.id, *data.notes])
    root = None if server is None else pool.root(server, wanted.build)
    if root is None:
        raise NoSuchDisk(f"Storage pool {pool.id} has no disk of {server}.")
    if root.holder is not None:
        raise DiskLocked(f"The disk of {server} is locked by {root.holder}.")
    _refuse_leaning(root)
    said = [f"{server} records {root.records}", *root.notes]
    return _file_of(root.size, said, starts=True)


def _exported_copy(machine: Machine, wanted: SnapshotDiskSpec) -> tuple[bytes, int]:
    pool = machine.reached(wanted.snapshot.pool)
    copy = pool.snapshots.get(wanted.snapshot.id, {}).get(wanted.volume)
    if copy is None:
        raise NoSuchDisk(f"Storage pool {pool.id} has no such disk in {wanted.snapshot.id}.")
    said = [f"{wanted.snapshot.id} records {copy.records}", *copy.notes]
    return _file_of(copy.size, said, starts=wanted.volume is None)


def _file_of(size: GiB, said: list[str], *, starts: bool = False) -> tuple[bytes, int]:
    content = "\n".join(said).encode()
    disk = size * 2**30
    return qcow2_of(disk, boot_sector(disk) + content if starts else content), disk

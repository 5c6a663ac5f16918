"""Takes a disk out of the pool as the file that it is, over the libvirt connection.

Every disk is a qcow2 file that refers to nothing else (see storage), so its bytes are all that
there is: nothing is converted, no second copy lies on the pool's storage meanwhile, and an export that
broke off goes on at the byte that it had come to.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

import libvirt

from control_plane.drivers.disks import (
    DataVolumeSpec,
    DiskFile,
    DiskSink,
    SnapshotDiskSpec,
    VolumeSpec,
)
from control_plane.drivers.libvirt import storage
from control_plane.drivers.libvirt.connection import SLOW, Connection
from control_plane.drivers.libvirt.disk_xml import (
    copy_name,
    data_name,
    snapshot_folder,
    volume_folder,
)
from control_plane.drivers.libvirt.transfer import read_file
from control_plane.drivers.protocol import DriverError, NoSuchDisk
from control_plane.model.ids import ServerId

_PIECE = 16 * 2**20


def export_disk(
    connection: Connection,
    server: ServerId | None,
    volume: VolumeSpec | DataVolumeSpec | SnapshotDiskSpec,
    sink: DiskSink,
) -> None:
    """As `HostDriver.export_disk` says."""
    file = _file_of(server, volume)
    named = f"{posixpath.basename(file.folder)}'s {file.name}"

    def look(libvirtd: libvirt.virConnect) -> DiskFile:
        disk = _find(libvirtd, connection.host, file)
        if storage.format_of(disk) != "qcow2":
            raise DriverError(f"{named} on host {connection.host} is no qcow2 file")
        _require_unused(disk)
        length = disk.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]
        return DiskFile(length, disk.info()[1])

    def read(libvirtd: libvirt.virConnect, offset: int, length: int) -> bytes:
        disk = _find(libvirtd, connection.host, file)
        return b"".join(read_file(libvirtd, disk, offset, length))

    disk = connection.call(look, SLOW)
    place = sink.expect(disk)
    while place < disk.length:
        wanted, offset = min(_PIECE, disk.length - place), place
        piece = connection.call(lambda c, o=offset, w=wanted: read(c, o, w), SLOW)  # type: ignore[misc]
        if len(piece) != wanted:
            raise DriverError(f"{named} became shorter while it was exported")
        sink.write(piece)
        place += wanted
    if connection.call(look, SLOW) != disk:
        raise DriverError(f"{named} changed while it was exported")


@dataclass(frozen=True, slots=True)
class _File:
    """Where a disk lies: the storage pool's directory, the disk's own folder in it, and its file."""

    pool_path: str
    folder: str
    name: str


def _file_of(
    server: ServerId | None, volume: VolumeSpec | DataVolumeSpec | SnapshotDiskSpec
) -> _File:
    if isinstance(volume, SnapshotDiskSpec):
        snapshot = volume.snapshot
        return _File(snapshot.pool_path, snapshot_folder(snapshot), copy_name(volume.volume))
    if isinstance(volume, DataVolumeSpec):
        return _File(volume.pool_path, volume_folder(volume), data_name(volume))
    if server is None:
        raise ValueError("a root volume is some server's")
    folder = storage.server_folder(server, volume)
    return _File(volume.pool_path, folder, storage.root_name(volume))


def _find(connection: libvirt.virConnect, host: str, file: _File) -> libvirt.virStorageVol:
    """Raises NoSuchDisk, StorageUnavailable."""
    storage.require_storage(connection, host, file.pool_path)
    missing = NoSuchDisk(f"There is no {file.name} in {file.folder}")
    try:
        folder = storage.open_folder(connection, file.folder)
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        beside = storage.open_folder(connection, file.pool_path)
        if storage.find(beside, posixpath.basename(file.folder)) is not None:
            raise
        raise missing from None
    disk = storage.whole_root(folder, file.name)
    if disk is None:
        raise missing
    return disk


def _require_unused(disk: libvirt.virStorageVol) -> None:
    """libvirtError (DiskLocked) while any machine has it open for writing: to resize a volume QEMU takes its
    write lock, and to the size that it has changes nothing. A file that has outgrown its disk can't be
    asked so, since it would grow."""
    _, capacity, allocation = disk.info()
    if allocation <= capacity:
        disk.resize(capacity, 0)

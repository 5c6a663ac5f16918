"""Takes a disk out of the pool as the file that it is, over the libvirt connection.

A server's volume is a qcow2 file that refers to nothing else (see storage), so its bytes are all that
there is: nothing is converted, no second copy lies on the pool's storage meanwhile, and an export that
broke off goes on at the byte that it had come to.
"""

from __future__ import annotations

import libvirt

from control_plane.drivers.libvirt import storage
from control_plane.drivers.libvirt.connection import SLOW, Connection
from control_plane.drivers.libvirt.transfer import read_file
from control_plane.drivers.protocol import (
    DiskFile,
    DiskSink,
    DriverError,
    NoSuchDisk,
    VolumeSpec,
)
from control_plane.model.ids import ServerId

_PIECE = 16 * 2**20


def export_disk(
    connection: Connection, server: ServerId, volume: VolumeSpec, sink: DiskSink
) -> None:
    """As `HostDriver.export_disk` says."""

    def look(libvirtd: libvirt.virConnect) -> DiskFile:
        root = _find_root(libvirtd, connection.host, server, volume)
        if storage.format_of(root) != "qcow2":
            raise DriverError(f"The disk of {server} on host {connection.host} is no qcow2 file")
        _require_unused(root)
        length = root.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]
        return DiskFile(length, root.info()[1])

    def read(libvirtd: libvirt.virConnect, offset: int, length: int) -> bytes:
        root = _find_root(libvirtd, connection.host, server, volume)
        return b"".join(read_file(libvirtd, root, offset, length))

    disk = connection.call(look, SLOW)
    place = sink.expect(disk)
    while place < disk.length:
        wanted, offset = min(_PIECE, disk.length - place), place
        piece = connection.call(lambda c, o=offset, w=wanted: read(c, o, w), SLOW)  # type: ignore[misc]
        if len(piece) != wanted:
            raise DriverError(f"The disk of {server} became shorter while it was exported")
        sink.write(piece)
        place += wanted
    if connection.call(look, SLOW) != disk:
        raise DriverError(f"The disk of {server} changed while it was exported")


def _find_root(
    connection: libvirt.virConnect, host: str, server: ServerId, volume: VolumeSpec
) -> libvirt.virStorageVol:
    """Raises NoSuchDisk, StorageUnavailable."""
    storage.require_storage(connection, host, volume.pool_path)
    try:
        folder = storage.open_folder(connection, storage.server_folder(server, volume))
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        beside = storage.open_folder(connection, volume.pool_path)
        if storage.find(beside, server) is not None:
            raise
        raise NoSuchDisk(f"Server {server} has no disk in {volume.pool_path}") from None
    root = storage.whole_root(folder, storage.root_name(volume))
    if root is None:
        raise NoSuchDisk(f"Server {server} has no disk in {volume.pool_path}")
    return root


def _require_unused(root: libvirt.virStorageVol) -> None:
    """libvirtError (DiskLocked) while any machine has it open for writing: to resize a volume QEMU takes its
    write lock, and to the size that it has changes nothing. A file that has outgrown its disk can't be
    asked so, since it would grow."""
    _, capacity, allocation = root.info()
    if allocation <= capacity:
        root.resize(capacity, 0)

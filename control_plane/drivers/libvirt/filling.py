"""Makes a disk from bytes that the control plane has, beside the builds of it that are there.

A file of a build is made by one call only, ever: whoever comes later takes another build, so that no
writer that was thought dead writes into what another has made. As long as a file `<name>.being-filled` stands
beside it the disk is nobody's.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterable
from functools import partial

import libvirt

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.disks import DataVolumeSpec, VolumeSpec
from control_plane.drivers.libvirt import storage
from control_plane.drivers.libvirt.backing_xml import name_in_file
from control_plane.drivers.libvirt.connection import SLOW, Connection
from control_plane.drivers.libvirt.disk_xml import data_name, volume_folder
from control_plane.drivers.libvirt.transfer import file_xml, write_file
from control_plane.drivers.protocol import DiskLocked, DriverError
from control_plane.drivers.qcow2_stream import Qcow2Stream
from control_plane.model.ids import ServerId

_GIB = 2**30


def fill_disk(
    connection: Connection,
    server: ServerId | None,
    volume: VolumeSpec | DataVolumeSpec,
    content: Iterable[tuple[int, bytes]],
) -> None:
    """As `HostDriver.fill_disk` says; each piece is a call of its own."""

    def put(stream: Qcow2Stream) -> None:
        for offset, data in content:
            stream.put(offset, data)

    _make(connection, server, volume, put, None)


def lean_disk(
    connection: Connection,
    server: ServerId | None,
    volume: VolumeSpec | DataVolumeSpec,
    zeros: Iterable[Extent],
) -> None:
    """As `HostDriver.lean_disk` says. The zeros are written down, so that nobody asks for them or copies
    them."""
    if volume.backing is None:
        raise ValueError("a disk that leans on nothing")

    def put(stream: Qcow2Stream) -> None:
        for extent in zeros:
            stream.zeros(extent.offset, extent.length)

    _make(connection, server, volume, put, volume.backing)


def _make(
    connection: Connection,
    server: ServerId | None,
    volume: VolumeSpec | DataVolumeSpec,
    put: Callable[[Qcow2Stream], None],
    backing: str | None,
) -> None:
    path, name = place_of(server, volume)
    size = volume.size * _GIB
    connection.call(partial(_begin, connection.host, volume.pool_path, path, name), SLOW)
    try:
        stream = Qcow2Stream(
            size,
            lambda offset, piece: connection.call(
                partial(_write, path=path, name=name, offset=offset, piece=piece), SLOW
            ),
            None if backing is None else name_in_file(backing),
        )
        put(stream)
        stream.finish()
        leans = backing is not None
        connection.call(partial(_finish, path=path, name=name, size=size, leans=leans), SLOW)
    except ValueError as error:
        _give_up(connection, path, name)
        raise DriverError(f"What {name} in {path} was to be filled with: {error}") from error
    except BaseException:
        _give_up(connection, path, name)
        raise


def remove_build(
    connection: Connection, server: ServerId | None, volume: VolumeSpec | DataVolumeSpec
) -> None:
    """As `HostDriver.remove_build` says."""
    path, name = place_of(server, volume)

    def remove(libvirtd: libvirt.virConnect) -> None:
        storage.require_storage(libvirtd, connection.host, volume.pool_path)
        try:
            folder = storage.open_folder(libvirtd, path)
        except libvirt.libvirtError:
            if libvirtd.isAlive():
                return
            raise
        found = storage.find(folder, name)
        if found is not None:
            storage.require_unused(connection.host, found)
        _remove(folder, name)
        # It goes only if it is empty.
        if not folder.listAllVolumes(0):
            storage.remove_folder(libvirtd, path)

    connection.call(remove, SLOW)


def place_of(server: ServerId | None, volume: VolumeSpec | DataVolumeSpec) -> tuple[str, str]:
    """Folder and file."""
    if isinstance(volume, DataVolumeSpec):
        return volume_folder(volume), data_name(volume)
    if server is None:
        raise ValueError("a root volume is some server's")
    return storage.server_folder(server, volume), storage.root_name(volume)


def _begin(host: str, pool_path: str, path: str, name: str, libvirtd: libvirt.virConnect) -> None:
    storage.require_storage(libvirtd, host, pool_path)
    folder = storage.open_folder(libvirtd, path, make=True)
    mark = storage.filling_mark(name)
    if storage.find(folder, name) is not None or storage.find(folder, mark) is not None:
        raise DiskLocked(f"There is {posixpath.join(path, name)} already: take another build")
    folder.createXML(file_xml(mark, "raw", 0), 0)
    folder.createXML(file_xml(name, "raw", 0), 0)


def _write(libvirtd: libvirt.virConnect, path: str, name: str, offset: int, piece: bytes) -> None:
    folder = storage.known_folder(libvirtd, path) or storage.open_folder(libvirtd, path)
    write_file(libvirtd, folder.storageVolLookupByName(name), offset, piece)


def _finish(libvirtd: libvirt.virConnect, path: str, name: str, size: int, *, leans: bool) -> None:
    folder = storage.open_folder(libvirtd, path)
    disk = folder.storageVolLookupByName(name)
    if storage.leans(disk) is not leans or disk.info()[1] != size:
        raise DriverError(f"{name} in {path} was not written as it was sent")
    if not leans:
        if storage.format_of(disk) != "qcow2":
            raise DriverError(f"{name} in {path} was not written as it was sent")
        # Also flushes what is left in the host's page cache.
        disk.resize(size, 0)
    folder.storageVolLookupByName(storage.filling_mark(name)).delete(0)


def _give_up(connection: Connection, path: str, name: str) -> None:
    """What a host that is gone keeps of it stays marked, and is removed by whoever comes later."""
    with contextlib.suppress(DriverError):
        connection.call(lambda c: _remove(storage.open_folder(c, path), name), SLOW)


def _remove(folder: libvirt.virStoragePool, name: str) -> None:
    """The mark goes last: without it the rest would look whole."""
    for each in (name, storage.filling_mark(name)):
        found = storage.find(folder, each)
        if found is not None:
            found.delete(0)

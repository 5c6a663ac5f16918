"""Data volumes on a libvirt host: their files on the storage, given to machines and taken back."""

from __future__ import annotations

import posixpath
from xml.etree.ElementTree import Element, fromstring, tostring

import libvirt

from control_plane.drivers.disks import DataVolumeSpec, SnapshotDiskSpec
from control_plane.drivers.libvirt import domains, storage
from control_plane.drivers.libvirt.copying import require_whole
from control_plane.drivers.libvirt.disk_xml import (
    copy_name,
    data_disk,
    data_disks,
    data_name,
    snapshot_folder,
    volume_folder,
)
from control_plane.drivers.libvirt.errors import is_code, sentence
from control_plane.drivers.libvirt.reading_job import make_way
from control_plane.drivers.protocol import DiskLocked, DriverError, RunState, StorageUnavailable
from control_plane.model.ids import Generation, ServerId, VolumeId

GIB = 2**30
_UNDER_WAY = "in the process of unplug"


def copy_of(
    connection: libvirt.virConnect, host: str, source: SnapshotDiskSpec
) -> libvirt.virStorageVol:
    """The file of a snapshot's disk. Raises StorageUnavailable where there is none that is whole."""
    path = snapshot_folder(source.snapshot)
    name = copy_name(source.volume)
    try:
        found = storage.whole_root(storage.open_folder(connection, path), name)
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        found = None
    if found is None:
        raise StorageUnavailable(f"Host {host} finds no whole {name} in {path}")
    return found


def make(
    connection: libvirt.virConnect,
    host: str,
    volume: DataVolumeSpec,
    source: SnapshotDiskSpec | None,
) -> None:
    """See HostDriver.ensure_data_volume."""
    storage.require_storage(connection, host, volume.pool_path)
    path = volume_folder(volume)
    folder = storage.open_folder(connection, path, make=True)
    try:
        copy = None if source is None else copy_of(connection, host, source)
        storage.make_root(host, folder, copy, data_name(volume), volume.size * GIB)
    except (DriverError, libvirt.libvirtError):
        # It goes only if it is empty.
        if connection.isAlive():
            storage.remove_folder(connection, path)
        raise


def remove(connection: libvirt.virConnect, host: str, volume: DataVolumeSpec) -> None:
    storage.require_storage(connection, host, volume.pool_path)
    path = volume_folder(volume)
    try:
        folder = storage.open_folder(connection, path)
    except libvirt.libvirtError:
        if connection.isAlive():
            return
        raise
    storage.remove_files(host, folder)
    storage.remove_folder(connection, path)


def grow(
    connection: libvirt.virConnect,
    host: str,
    volume: DataVolumeSpec,
    server: ServerId | None,
    listed: Generation,
) -> None:
    """See HostDriver.grow_data_volume. A file is never made smaller: libvirt refuses. A running QEMU would
    obey, so that label and size are the last things read before it is asked."""
    domain = None if server is None else domains.find(connection, server)
    if domain is not None and domains.run_state(domain) is not RunState.STOPPED:
        held = data_disks(_described(domain)).get(volume.id)
        target = None if held is None else held.find("target")
        if target is not None:
            _grow_under(domain, host, target.get("dev", ""), volume.size * GIB, listed)
            return
    file = _file(connection, host, volume)
    if file.info()[1] < volume.size * GIB:
        file.resize(volume.size * GIB, 0)


def _grow_under(
    domain: libvirt.virDomain, host: str, device: str, size_bytes: int, listed: Generation
) -> None:
    if domain.blockInfo(device)[0] >= size_bytes:
        return
    make_way(domain)
    require_whole(domain)
    domains.insist(domain, host, listed)
    if domain.blockInfo(device)[0] < size_bytes:
        domain.blockResize(device, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)


def attach(
    connection: libvirt.virConnect,
    host: str,
    server: ServerId,
    volume: DataVolumeSpec,
    listed: Generation,
) -> None:
    """See HostDriver.attach. A running QEMU takes the disk's lock itself; for a machine that does not
    run the lock is tried."""
    domain = domains.get(connection, host, server)
    described = tostring(data_disk(volume), encoding="unicode")
    runs = domains.run_state(domain) is not RunState.STOPPED
    file = _file(connection, host, volume)
    domains.insist(domain, host, listed)
    if runs and volume.id not in data_disks(_described(domain)):
        domain.attachDeviceFlags(described, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    if volume.id not in data_disks(_described(domain, inactive=True)):
        if not runs:
            storage.require_unused(host, file)
        domain.attachDeviceFlags(described, libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def let_go(
    connection: libvirt.virConnect,
    host: str,
    server: ServerId,
    volume: VolumeId,
    listed: Generation,
    *,
    ask: bool,
) -> bool:
    """One step of HostDriver.detach: the definition first, so that no start brings the disk back; then
    the guest is asked, where `ask`."""
    domain = domains.find(connection, server)
    if domain is None:
        return True
    domains.insist(domain, host, listed)
    written = data_disks(_described(domain, inactive=True)).get(volume)
    if written is not None:
        domain.detachDeviceFlags(
            tostring(written, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_CONFIG
        )
    if domains.run_state(domain) is RunState.STOPPED:
        return True
    held = data_disks(_described(domain)).get(volume)
    if held is not None and ask:
        make_way(domain)
        try:
            domain.detachDeviceFlags(
                tostring(held, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE
            )
        except libvirt.libvirtError as error:
            # It was asked before and has not answered, or has let go or stopped just now.
            if _UNDER_WAY not in sentence(error) and not is_code(
                error, libvirt.VIR_ERR_DEVICE_MISSING, libvirt.VIR_ERR_OPERATION_INVALID
            ):
                raise
    return held is None


def is_closed(connection: libvirt.virConnect, host: str, file: str) -> bool:
    """libvirt strikes a disk off its list a moment before QEMU has closed the file."""
    path = posixpath.dirname(file)
    try:
        folder = storage.open_folder(connection, path)
        found = storage.find(folder, posixpath.basename(file))
        if found is not None:
            storage.require_unused(host, found)
    except DiskLocked:
        return False
    storage.close_folder(connection, path)
    return True


def held_file(connection: libvirt.virConnect, server: ServerId, volume: VolumeId) -> str | None:
    """The file that a running server has open as this volume."""
    domain = domains.find(connection, server)
    if domain is None or domains.run_state(domain) is RunState.STOPPED:
        return None
    disk = data_disks(_described(domain)).get(volume)
    source = None if disk is None else disk.find("source")
    return None if source is None else source.get("file")


def _file(
    connection: libvirt.virConnect, host: str, volume: DataVolumeSpec
) -> libvirt.virStorageVol:
    storage.require_storage(connection, host, volume.pool_path)
    path = volume_folder(volume)
    try:
        found = storage.whole_root(storage.open_folder(connection, path), data_name(volume))
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        found = None
    if found is None:
        raise StorageUnavailable(f"Host {host} finds no whole {data_name(volume)} in {path}")
    return found


def _described(domain: libvirt.virDomain, *, inactive: bool = False) -> Element:
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
    return fromstring(domain.XMLDesc(flags))  # noqa: S314 — from our own host's libvirt

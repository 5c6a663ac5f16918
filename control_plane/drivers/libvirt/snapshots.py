"""Copies of all disks of a server as they are at one point in time.

A running server's are made by QEMU itself: at one instant it begins to keep aside what the guest
overwrites, and sends every disk as it was then to a file of its own. The server's own files get no
overlay and no chain, so that nothing needs to be put together again whenever something breaks off: an
unfinished copy is thrown away. A stopped server's files are copied by the host.
"""

from __future__ import annotations

import contextlib
import posixpath
import time
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import libvirt

from control_plane.drivers.disks import SnapshotDiskSpec, SnapshotSpec
from control_plane.drivers.libvirt import domains, storage
from control_plane.drivers.libvirt.data_volumes import GIB, copy_of
from control_plane.drivers.libvirt.disk_xml import (
    copy_name,
    data_name,
    snapshot_folder,
    target_of,
    volume_folder,
)
from control_plane.drivers.libvirt.errors import is_code
from control_plane.drivers.libvirt.quiesce import held_still
from control_plane.drivers.libvirt.reading_job import make_way
from control_plane.drivers.libvirt.transfer import file_xml
from control_plane.drivers.protocol import DriverError, RunState, ServerSpec, StorageUnavailable
from control_plane.model.ids import VolumeId

_QUIESCED = "quiesced"
"""A file that says so, for whoever asks again after a crash."""
_POLL = 0.2


def take(
    connection: libvirt.virConnect, uri: str, host: str, spec: ServerSpec, snapshot: SnapshotSpec
) -> bool:
    """See HostDriver.snapshot. `uri`: the connection's."""
    storage.require_storage(connection, host, snapshot.pool_path)
    domain = domains.get(connection, host, spec.id)
    path = snapshot_folder(snapshot)
    folder = storage.open_folder(connection, path, make=True)
    if _is_whole(folder):
        return storage.find(folder, _QUIESCED) is not None
    runs = domains.run_state(domain) is not RunState.STOPPED
    if runs:
        make_way(domain)
    if runs and _goes_on(domain, path):
        # Whoever began it is gone; when it ends nobody will know how, so it is made anew.
        domain.abortJob()
        _wait(domain)
    _empty(folder)
    folder.createXML(file_xml(storage.BEING_MADE, "raw", 0), 0)
    try:
        quiesced = (
            _push(domain, uri, spec, snapshot, folder)
            if runs
            else _copy(connection, host, spec, snapshot, folder)
        )
    except (DriverError, libvirt.libvirtError):
        if connection.isAlive():
            with contextlib.suppress(libvirt.libvirtError):
                folder.refresh(0)
                _empty(folder)
                storage.remove_folder(connection, path)
        raise
    if quiesced:
        folder.createXML(file_xml(_QUIESCED, "raw", 0), 0)
    folder.storageVolLookupByName(storage.BEING_MADE).delete(0)
    return quiesced


def remove(connection: libvirt.virConnect, host: str, snapshot: SnapshotSpec) -> None:
    storage.require_storage(connection, host, snapshot.pool_path)
    path = snapshot_folder(snapshot)
    try:
        folder = storage.open_folder(connection, path)
    except libvirt.libvirtError:
        if connection.isAlive():
            return
        raise
    _empty(folder)
    storage.remove_folder(connection, path)


def restore(
    connection: libvirt.virConnect, host: str, spec: ServerSpec, snapshot: SnapshotSpec
) -> None:
    """See HostDriver.restore_snapshot."""
    storage.require_storage(connection, host, spec.volume.pool_path)
    root = storage.server_folder(spec.id, spec.volume)
    wanted: list[tuple[str, str, int, VolumeId | None]] = [
        (root, storage.root_name(spec.volume), spec.volume.size, None)
    ]
    for volume in spec.data_volumes:
        if volume.id in snapshot.volumes:
            wanted.append((volume_folder(volume), data_name(volume), volume.size, volume.id))
    for path, name, size, disk in wanted:
        folder = storage.open_folder(connection, path, make=True)
        if storage.whole_root(folder, name) is None:
            storage.require_latest(host, folder, name)
            storage.require_others_unused(host, folder, name)
            copy = copy_of(connection, host, SnapshotDiskSpec(snapshot, disk))
            storage.make_root(host, folder, copy, name, size * GIB)
    for path, name, _, _ in wanted:
        storage.remove_earlier_roots(host, storage.open_folder(connection, path), name)


def _is_whole(folder: libvirt.virStoragePool) -> bool:
    return storage.whole_root(folder, copy_name(None)) is not None


def _empty(folder: libvirt.virStoragePool) -> None:
    """The mark goes last: without it the rest would look whole."""
    found = folder.listAllVolumes(0)
    for volume in sorted(found, key=lambda v: v.name() == storage.BEING_MADE):
        volume.delete(0)


def _goes_on(domain: libvirt.virDomain, path: str) -> bool:
    """Whether a copy to this folder is being made. Raises DriverError while another one is."""
    try:
        described = domain.backupGetXMLDesc(0)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN_BACKUP):
            return False
        raise
    targets = fromstring(described).findall("disks/disk/target")  # noqa: S314 — our own host's
    if any(posixpath.dirname(target.get("file", "")) == path for target in targets):
        return True
    raise DriverError(f"The disks of server {domain.name()} are being copied elsewhere just now")


def _push(
    domain: libvirt.virDomain,
    uri: str,
    spec: ServerSpec,
    snapshot: SnapshotSpec,
    folder: libvirt.virStoragePool,
) -> bool:
    path = snapshot_folder(snapshot)
    copied = {"vda": copy_name(None)}
    for volume in spec.data_volumes:
        if volume.id in snapshot.volumes:
            copied[target_of(volume.order)] = copy_name(volume.id)
    with held_still(domain, uri) as stillness:
        domain.backupBegin(_backup_xml(domain, path, copied), None, 0)
    _wait(domain)
    stats = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    if stats.get("type") != libvirt.VIR_DOMAIN_JOB_COMPLETED or not stats.get("success", True):
        why = stats.get("errmsg", "the server stopped, or the copy was broken off")
        raise DriverError(f"The disks of server {spec.id} could not be copied: {why}")
    folder.refresh(0)
    for name in copied.values():
        if storage.find(folder, name) is None:
            raise StorageUnavailable(f"The copy {name} of server {spec.id} is not in {path}")
    return stillness.held


def _backup_xml(domain: libvirt.virDomain, path: str, copied: dict[str, str]) -> str:
    backup = Element("domainbackup", mode="push")
    disks = SubElement(backup, "disks")
    described = fromstring(domain.XMLDesc(0))  # noqa: S314 — from our own host's libvirt
    for target in described.findall("devices/disk/target"):
        name = target.get("dev", "")
        disk = SubElement(disks, "disk", name=name, backup="yes" if name in copied else "no")
        if name in copied:
            disk.set("type", "file")
            SubElement(disk, "target", file=posixpath.join(path, copied[name]))
            SubElement(disk, "driver", type="qcow2")
    return tostring(backup, encoding="unicode")


def _wait(domain: libvirt.virDomain) -> None:
    while domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
        time.sleep(_POLL)


def _copy(
    connection: libvirt.virConnect,
    host: str,
    spec: ServerSpec,
    snapshot: SnapshotSpec,
    folder: libvirt.virStoragePool,
) -> bool:
    sources: list[tuple[str, str, VolumeId | None]] = [
        (storage.server_folder(spec.id, spec.volume), storage.root_name(spec.volume), None)
    ]
    for volume in spec.data_volumes:
        if volume.id in snapshot.volumes:
            sources.append((volume_folder(volume), data_name(volume), volume.id))
    for path, name, disk in sources:
        found = storage.whole_root(storage.open_folder(connection, path), name)
        if found is None:
            raise StorageUnavailable(f"Host {host} finds no whole {name} in {path}")
        storage.require_unused(host, found)
        size = found.info()[1]
        folder.createXMLFrom(file_xml(copy_name(disk), "qcow2", size), found, 0)
    return True

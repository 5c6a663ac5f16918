"""Has disks that lean on others come to hold all themselves: QEMU's block-stream job, which libvirt calls a
block pull.

A running server's own QEMU does it while the guest works. The disks of one that is stopped are opened by a
machine whose processor never runs, which goes with the connection that made it and makes way whenever anything else
is asked of the server. The job copies whatever the file lacks, so that one that broke off costs nothing but
the question; what the guest writes meanwhile is never overwritten.
"""

from __future__ import annotations

import contextlib
import posixpath
import time
from collections.abc import Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring

import libvirt

from control_plane.drivers.disks import Copying
from control_plane.drivers.leaning import still_leaning
from control_plane.drivers.libvirt import domains, lone_card, storage
from control_plane.drivers.libvirt.disk_xml import data_disk, data_name, target_of, volume_folder
from control_plane.drivers.libvirt.domain_xml import root_disk
from control_plane.drivers.libvirt.errors import is_code
from control_plane.drivers.libvirt.hypervisor import accelerated
from control_plane.drivers.libvirt.stopped_reader import still_machine
from control_plane.drivers.protocol import RunState, ServerSpec, StorageUnavailable
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds

_PREFIX = "yui-copier."
_GIB = 2**30
_TRIES = 3
_BETWEEN = Seconds(0.3)


def copy_in(
    connection: libvirt.virConnect, host: str, spec: ServerSpec, *, machine: str
) -> Copying:
    """See HostDriver.copy_in."""
    domain = domains.find(connection, spec.id)
    if domain is not None and domains.run_state(domain) is not RunState.STOPPED:
        found = _pulled(domain, host, spec)
        return replace(found, whole=_write_out(domain)) if found.whole else found
    copier = _copier(connection, spec.id)
    if copier is None:
        for path in {spec.volume.pool_path, *(each.pool_path for each in spec.data_volumes)}:
            storage.require_storage(connection, host, path)
        copier = connection.createXML(
            still_machine(
                _PREFIX + spec.id,
                spec.id,
                [root_disk(spec), *map(data_disk, spec.data_volumes)],
                accelerated=accelerated(connection),
                machine=machine,
            ),
            libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY,
        )
    found = _pulled(copier, host, spec)
    if found.whole:
        # It writes out what it knows as it ends, unless it is killed.
        copier.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    return found


def leave_off(connection: libvirt.virConnect, server: ServerId) -> None:
    """Somebody wants the disks of a stopped server."""
    copier = _copier(connection, server)
    if copier is not None:
        with contextlib.suppress(libvirt.libvirtError):
            copier.destroy()


def go_on(domain: libvirt.virDomain) -> None:
    """Let a machine that is paused go on. One that was not given what it wanted to read asks QEMU again, which calls
    whoever serves it anew at the first time and reads from it at the next."""
    for _ in range(_TRIES):
        starved = _is_starved(domain)
        lone_card.go_on(domain)
        if not starved:
            return
        time.sleep(_BETWEEN)
        if not _is_starved(domain):
            return


def require_whole(domain: libvirt.virDomain) -> None:
    """Raises DisksBusy where the running machine has a disk that leans on another."""
    if any(_leans(disk) for disk in _disks(domain).values()):
        raise still_leaning(ServerId(domain.name()))


def _pulled(domain: libvirt.virDomain, host: str, spec: ServerSpec) -> Copying:
    """One disk after another: QEMU 7.2 dies of two such jobs that end at once."""
    disks, done, total, under_way = _disks(domain), 0, 0, False
    for device, (file, size) in _leaning(spec).items():
        disk = disks.get(device)
        source = None if disk is None else disk.find("source")
        if disk is None or source is None or source.get("file") != file:
            raise StorageUnavailable(
                f"Server {spec.id} on host {host} has not got {file} as its disk just now"
            )
        total += size
        if not _leans(disk):
            done += size
        elif not under_way:
            under_way = True
            done += _copied(domain, device, size)
    return Copying(done, total, not under_way, _is_starved(domain))


def _write_out(domain: libvirt.virDomain) -> bool:
    """Whether what was copied is on the disks for good. QEMU keeps in memory where in its files the copies lie until
    somebody asks it to write that out: a guest, for the disk that it syncs, or whoever pauses the machine. Without
    it a disk that leans on nothing any more would read as zeros after a crash."""
    if domains.run_state(domain) is not RunState.RUNNING:
        return False
    domain.suspend()
    lone_card.go_on(domain)
    return True


def _copied(domain: libvirt.virDomain, device: str, size: int) -> int:
    """Bytes of this disk, whose job is begun where there is none."""
    job = domain.blockJobInfo(device, 0)
    if not job:
        domain.blockPull(device, 0, 0)
        job = domain.blockJobInfo(device, 0)
    return int(size * job["cur"] // job["end"]) if job and job["end"] else 0


def _is_starved(domain: libvirt.virDomain) -> bool:
    """Also one that found no room to write."""
    state, reason = domain.state()
    return bool(state == libvirt.VIR_DOMAIN_PAUSED and reason == libvirt.VIR_DOMAIN_PAUSED_IOERROR)


def _leaning(spec: ServerSpec) -> Mapping[str, tuple[str, int]]:
    """File and bytes of those disks that lean on others, by their device."""
    found = {}
    if spec.volume.backing is not None:
        found["vda"] = (storage.root_path(spec.id, spec.volume), spec.volume.size * _GIB)
    for each in spec.data_volumes:
        if each.backing is not None:
            file = posixpath.join(volume_folder(each), data_name(each))
            found[target_of(each.order)] = (file, each.size * _GIB)
    return found


def _disks(domain: libvirt.virDomain) -> dict[str, Element]:
    """As the machine has them open, by device."""
    described = fromstring(domain.XMLDesc(0))  # noqa: S314 — from our own host's libvirt
    found = {}
    for disk in described.findall("devices/disk"):
        target = disk.find("target")
        if target is not None:
            found[target.get("dev", "")] = disk
    return found


def _leans(disk: Element) -> bool:
    return disk.find("backingStore[@type]") is not None


def _copier(connection: libvirt.virConnect, server: ServerId) -> libvirt.virDomain | None:
    try:
        return connection.lookupByName(_PREFIX + server)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
            return None
        raise

"""QEMU's job by which all disks of a running machine can be read as they were at one instant.

While it lasts QEMU copies whatever the guest is about to overwrite to scratch files beside the disks,
and serves the disks over NBD. The job does not end by itself when nobody reads any more; whoever begins
one, moves the server or changes its disks ends what is there. It is told by the names of its scratch
files, so that others' jobs are left alone.
"""

from __future__ import annotations

import contextlib
import posixpath
import time
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import libvirt

from control_plane.drivers.libvirt import storage
from control_plane.drivers.libvirt.checkpoints import DiskFacts
from control_plane.drivers.libvirt.errors import is_code
from control_plane.drivers.libvirt.nbd_transport import Place
from control_plane.drivers.protocol import DisksBusy
from control_plane.model.units import Seconds

SCRATCH = "being-read.qcow2"
_PATIENCE = Seconds(30.0)
_POLL = Seconds(0.05)


def job_xml(
    place: Place,
    token: str,
    disks: Mapping[str, DiskFacts],
    others: list[str],
    since: Mapping[str, str],
) -> str:
    """`token` tells this job from later ones; `since`: by device, the checkpoint as libvirt names it."""
    backup = Element("domainbackup", mode="pull")
    backup.append(place.server_element())
    listed = SubElement(backup, "disks")
    for device, facts in disks.items():
        disk = SubElement(listed, "disk", name=device, backup="yes", type="file")
        disk.set("exportname", export_of(device, token))
        if device in since:
            disk.set("backupmode", "incremental")
            disk.set("incremental", since[device])
            disk.set("exportbitmap", bitmap_of(device))
        else:
            disk.set("backupmode", "full")
        SubElement(disk, "driver", type="qcow2")
        SubElement(disk, "scratch", file=scratch_of(facts.file))
    for device in others:
        SubElement(listed, "disk", name=device, backup="no")
    return tostring(backup, encoding="unicode")


def bitmap_of(device: str) -> str:
    return f"changed-{device}"


def export_of(device: str, token: str) -> str:
    return f"{device}.{token}"


def scratch_of(file: str) -> str:
    return posixpath.join(posixpath.dirname(file), SCRATCH)


def end(domain: libvirt.virDomain, token: str | None = None) -> bool:
    """End our job on this machine, or only the one of this token; False where it has none. Comes back
    once it is gone. Raises DisksBusy while others' job goes on."""
    described = _described(domain)
    if described is None:
        return False
    if not _is_ours(described):
        raise DisksBusy(f"Another task works on the disks of server {domain.name()} just now")
    if token is not None and not _bears(described, token):
        return False
    with contextlib.suppress(libvirt.libvirtError):
        domain.abortJob()
    deadline = time.monotonic() + _PATIENCE
    while _described(domain) is not None:
        if time.monotonic() > deadline:
            raise DisksBusy(f"The reading of server {domain.name()}'s disks does not end")
        time.sleep(_POLL)
    return True


def require_idle(domain: libvirt.virDomain) -> None:
    """Raises DisksBusy while the machine is being moved or copied: libvirt would have us wait for half a
    minute."""
    if domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
        raise DisksBusy(f"Another task works on server {domain.name()} just now")


def make_way(domain: libvirt.virDomain) -> None:
    """What is to happen to the server comes before our reading it."""
    with contextlib.suppress(DisksBusy):
        end(domain)


def goes_on(domain: libvirt.virDomain, token: str) -> bool:
    described = _described(domain)
    return described is not None and _bears(described, token)


def clear_scratch(
    connection: libvirt.virConnect, host: str, disks: Mapping[str, DiskFacts], *, ours: bool
) -> None:
    """Remove what a job left that was cut off with its host. Raises DiskLocked while it is in use; with
    `ours` the machine here has the disks open for writing, so that nobody else can read them."""
    for facts in disks.values():
        folder = storage.open_folder(connection, posixpath.dirname(facts.file))
        left = storage.find(folder, SCRATCH)
        if left is not None:
            if not ours:
                storage.require_unused(host, left)
            left.delete(0)


def _is_ours(described: Element) -> bool:
    scratches = [each.get("file", "") for each in described.findall("disks/disk/scratch")]
    return (
        described.get("mode") == "pull"
        and bool(scratches)
        and all(posixpath.basename(each) == SCRATCH for each in scratches)
    )


def _bears(described: Element, token: str) -> bool:
    names = [each.get("exportname", "") for each in described.findall("disks/disk")]
    return any(name.endswith(f".{token}") for name in names)


def _described(domain: libvirt.virDomain) -> Element | None:
    try:
        return fromstring(domain.backupGetXMLDesc(0))  # noqa: S314 — from our own host's libvirt
    except libvirt.libvirtError as error:
        if is_code(
            error,
            libvirt.VIR_ERR_NO_DOMAIN_BACKUP,
            libvirt.VIR_ERR_OPERATION_INVALID,
            libvirt.VIR_ERR_NO_DOMAIN,
        ):
            return None
        raise

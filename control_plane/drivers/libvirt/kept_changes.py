"""Judges what QEMU has kept of disks' changes since a checkpoint: what is believed, and why the rest is not."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Mapping

import libvirt

from control_plane.drivers.libvirt import checkpoints, domains, storage
from control_plane.drivers.libvirt.checkpoints import DiskFacts
from control_plane.drivers.libvirt.qcow2_bitmaps import Marks, ReadAt, bitmaps, marks
from control_plane.drivers.libvirt.transfer import read_file
from control_plane.drivers.protocol import StorageUnavailable
from control_plane.model.full_read import WhyFull
from control_plane.model.ids import ServerId


def of_running(
    libvirtd: libvirt.virConnect,
    domain: libvirt.virDomain,
    disks: Mapping[str, DiskFacts],
    since: str | None,
) -> dict[str, WhyFull]:
    """The doubts by device; of a machine of which something is believed only that checkpoint is left."""
    known = checkpoints.ours(domain)
    named = None if since is None else known.get(checkpoints.known_as(since))
    if named is None:
        checkpoints.forget(domain, but=None)
        why = dict.fromkeys(disks, WhyFull.FIRST if since is None else WhyFull.UNKNOWN_HERE)
    else:
        why = checkpoints.doubts(named, disks)
        if not checkpoints.forget(domain, but=named.getName()):
            why |= dict.fromkeys(disks.keys() - why, WhyFull.TRACKING_LOST)
    # A file that can't be made out here can be read all the same.
    with contextlib.suppress(ValueError, StorageUnavailable):
        found = {
            device: [each.name for each in bitmaps(_reader(libvirtd, facts.file))]
            for device, facts in disks.items()
        }
        checkpoints.remove_orphans(domain, found)
    return why


def of_stopped(
    libvirtd: libvirt.virConnect,
    server: ServerId,
    disks: Mapping[str, DiskFacts],
    since: str | None,
) -> tuple[dict[str, WhyFull], dict[str, Marks]]:
    """The doubts, and what has changed on the other disks, by device. Nobody may have them open for
    writing."""
    if since is None:
        return dict.fromkeys(disks, WhyFull.FIRST), {}
    domain = domains.find(libvirtd, server)
    name = checkpoints.known_as(since)
    named = None if domain is None else checkpoints.ours(domain).get(name)
    if named is None:
        return dict.fromkeys(disks, WhyFull.UNKNOWN_HERE), {}
    why = checkpoints.doubts(named, disks)
    believed = {}
    for device in disks.keys() - why:
        read_at = _reader(libvirtd, disks[device].file)
        try:
            found = {each.name: each for each in bitmaps(read_at)}.get(name)
            if found is None or not found.believable or found.disk_size != disks[device].size:
                why[device] = WhyFull.TRACKING_LOST
            else:
                believed[device] = marks(found, read_at)
        except ValueError:
            why[device] = WhyFull.DOUBTFUL
    return why, believed


def _reader(libvirtd: libvirt.virConnect, file: str) -> ReadAt:
    """Raises StorageUnavailable."""
    folder, name = posixpath.split(file)
    volume = storage.find(storage.open_folder(libvirtd, folder), name)
    if volume is None:
        raise StorageUnavailable(f"There is no {name} in {folder}")
    return lambda offset, length: b"".join(read_file(libvirtd, volume, offset, length))

"""Data volumes as disks of a libvirt domain, and where their files and those of snapshots lie.

A disk is told to be Yui's by where its file lies, and found by the guest by its serial number, which is
the volume's id: `/dev/disk/by-id/virtio-<id>`.
"""

from __future__ import annotations

import posixpath
import string
from xml.etree.ElementTree import Element, SubElement

from control_plane.drivers.disks import DataVolumeSpec, SnapshotSpec
from control_plane.drivers.libvirt.backing_xml import backing_element
from control_plane.model.ids import VolumeId

_PREFIX = "volume."
_FIRST_TARGET = 2
"""Behind the root disk and the seed."""


def volume_folder(volume: DataVolumeSpec) -> str:
    return posixpath.join(volume.pool_path, f"{_PREFIX}{volume.id}")


def data_name(volume: DataVolumeSpec) -> str:
    return f"data-{volume.build}.qcow2" if volume.build else "data.qcow2"


def snapshot_folder(snapshot: SnapshotSpec) -> str:
    return posixpath.join(snapshot.pool_path, f"snapshot.{snapshot.id}")


def copy_name(volume: VolumeId | None) -> str:
    """The file of one disk in a snapshot's folder."""
    return "root.qcow2" if volume is None else f"{volume}.qcow2"


def target_of(order: int) -> str:
    return f"vd{string.ascii_lowercase[_FIRST_TARGET + order]}"


def data_disk(volume: DataVolumeSpec) -> Element:
    """The volume as a disk of a libvirt domain."""
    disk = Element("disk", type="file", device="disk")
    path = posixpath.join(volume_folder(volume), data_name(volume))
    add_file(disk, path, volume.backing)
    SubElement(disk, "target", dev=target_of(volume.order), bus="virtio")
    SubElement(disk, "serial").text = volume.id
    return disk


def add_file(disk: Element, path: str, backing: str | None) -> None:
    """Say which file a disk is, and what it leans on."""
    # No host keeps a cache of what the guest wrote: the next host must read it from the storage.
    driver = SubElement(disk, "driver", name="qemu", type="qcow2", cache="none", discard="unmap")
    SubElement(disk, "source", file=path)
    if backing is not None:
        # What can't be read is nothing that the guest could do anything about: it waits instead.
        driver.set("error_policy", "stop")
        driver.set("rerror_policy", "stop")
        disk.append(backing_element(backing))


def data_disks(domain: Element) -> dict[VolumeId, Element]:
    """The disks of a domain's description that are Yui's volumes."""
    found = {}
    for disk in domain.findall("devices/disk"):
        source = disk.find("source")
        folder = posixpath.dirname("" if source is None else source.get("file", ""))
        name = posixpath.basename(folder)
        if name.startswith(_PREFIX):
            found[VolumeId(name.removeprefix(_PREFIX))] = disk
    return found

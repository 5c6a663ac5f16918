"""Reads a server that does not run without starting it.

A machine of Yui's own, whose processor never runs, has the server's disks open read-only: while it is
there QEMU's locks let nobody open them for writing, and it is not made where somebody has. It has no
definition and goes with the connection that made it, so nothing is left of it when its maker dies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

import libvirt

from control_plane.drivers.libvirt.checkpoints import DiskFacts
from control_plane.drivers.libvirt.errors import is_code
from control_plane.drivers.protocol import DiskLocked
from control_plane.model.ids import ServerId

_URI = "urn:yui:reader:1"
_TAG = f"{{{_URI}}}reader"
_PREFIX = "yui-reader."


def is_reader(domain: Element) -> bool:
    """Whether a domain's description is that of such a machine."""
    return domain.find(f"metadata/{_TAG}") is not None


def make(
    connection: libvirt.virConnect,
    server: ServerId,
    disks: Mapping[str, DiskFacts],
    *,
    accelerated: bool,
    machine: str,
) -> libvirt.virDomain:
    """Raises DiskLocked where the server is read already, and libvirtError, also where a disk is
    locked."""
    elements = [_read_only(device, facts) for device, facts in disks.items()]
    described = still_machine(
        _PREFIX + server, server, elements, accelerated=accelerated, machine=machine
    )
    flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
    if find(connection, server) is not None:
        raise DiskLocked(f"Server {server} is being read already while it is stopped")
    return connection.createXML(described, flags)


def find(connection: libvirt.virConnect, server: ServerId) -> libvirt.virDomain | None:
    try:
        return connection.lookupByName(_PREFIX + server)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
            return None
        raise


def remove(connection: libvirt.virConnect, server: ServerId) -> None:
    reader = find(connection, server)
    if reader is not None:
        with contextlib.suppress(libvirt.libvirtError):
            reader.destroy()


def still_machine(
    name: str, server: ServerId, disks: Iterable[Element], *, accelerated: bool, machine: str
) -> str:
    """A machine of that name whose processor is never to run, with the server's `disks`."""
    domain = Element("domain", type="kvm" if accelerated else "qemu")
    SubElement(domain, "name").text = name
    SubElement(SubElement(domain, "metadata"), _TAG, of=server)
    SubElement(domain, "memory", unit="MiB").text = "8"
    SubElement(domain, "vcpu").text = "1"
    system = SubElement(domain, "os")
    SubElement(system, "type", arch="x86_64", machine=machine).text = "hvm"
    devices = SubElement(domain, "devices")
    devices.extend(disks)
    SubElement(devices, "controller", type="usb", model="none")
    SubElement(devices, "memballoon", model="none")
    return tostring(domain, encoding="unicode")


def _read_only(device: str, facts: DiskFacts) -> Element:
    disk = Element("disk", type="file", device="disk")
    SubElement(disk, "driver", name="qemu", type="qcow2", cache="none")
    SubElement(disk, "source", file=facts.file)
    SubElement(disk, "target", dev=device, bus="virtio")
    SubElement(disk, "readonly")
    return disk

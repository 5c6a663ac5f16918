"""A server as libvirt's domain XML, and what Yui writes down in it about the server."""

from __future__ import annotations

import hashlib
import posixpath
import uuid
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, SubElement, fromstring, register_namespace, tostring

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.libvirt import lone_card
from control_plane.drivers.libvirt.disk_xml import add_file, data_disk
from control_plane.drivers.libvirt.storage import CONSOLE, SEED, root_path, server_folder
from control_plane.drivers.protocol import DriverError, ServerSpec
from control_plane.model.ids import Generation, ServerId, StoragePoolId
from control_plane.model.units import GiB, Resources

METADATA_URI = "urn:yui:server:1"
METADATA_KEY = "yui"
_TAG = f"{{{METADATA_URI}}}server"
_UUIDS = uuid.UUID("5d0e2e3a-7b53-4c39-8f0a-0f6a7c0d9a11")
_VCPU_CEILING = 8
"""A running server can be given up to this many vCPUs, or its own number where that is larger."""
_TRANSLATION_CACHE = "32"
"""MiB of translated code that an emulated guest keeps; QEMU's own default is a quarter GiB or more,
which a host of many small guests can't spare."""

register_namespace(METADATA_KEY, METADATA_URI)


@dataclass(frozen=True, slots=True)
class Platform:
    """What a host offers: `accelerated` by KVM, the guest `machine` type, the bridge to plug into, and
    whether isolated servers can be asked (see lone_card)."""

    accelerated: bool
    machine: str
    bridge: str
    lone_cards: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What Yui keeps in the definition. `digest` covers everything but generation and name; `booted`
    is the generation with which the server was last started, or is to be."""

    server: ServerId
    generation: Generation
    digest: str
    volume: VolumeSpec
    booted: Generation

    def to_element(self, tag: str = _TAG) -> Element:
        element = Element(tag)
        element.set("id", self.server)
        element.set("generation", str(self.generation))
        element.set("digest", self.digest)
        element.set("pool", self.volume.pool)
        element.set("pool-path", self.volume.pool_path)
        element.set("disk-gib", str(self.volume.size))
        element.set("disk-build", str(self.volume.build))
        element.set("booted", str(self.booted))
        return element

    def to_bare_xml(self) -> str:
        """Without its namespace, which libvirt adds by itself where it takes a single element."""
        return tostring(self.to_element("server"), encoding="unicode")

    @staticmethod
    def from_xml(text: str) -> Label:
        """Raises ValueError where the element does not hold what Yui writes."""
        return Label.from_element(fromstring(text))  # noqa: S314 — from our own host's libvirt

    @staticmethod
    def within(domain: Element) -> Label | None:
        """The label in a domain's description; None for a machine that Yui did not define."""
        element = domain.find(f"metadata/{_TAG}")
        try:
            return None if element is None else Label.from_element(element)
        except ValueError:
            return None

    @staticmethod
    def from_element(element: Element) -> Label:
        """Raises ValueError."""
        try:
            volume = VolumeSpec(
                StoragePoolId(element.attrib["pool"]),
                element.attrib["pool-path"],
                GiB(int(element.attrib["disk-gib"])),
                int(element.get("disk-build", "0")),
            )
            return Label(
                ServerId(element.attrib["id"]),
                Generation(int(element.attrib["generation"])),
                element.attrib["digest"],
                volume,
                # A server that was started before this was written down has no restart to wait for.
                Generation(int(element.get("booted", "0"))),
            )
        except KeyError as error:
            raise ValueError(f"the label lacks {error}") from error


def label_of(spec: ServerSpec, booted: Generation | None = None) -> Label:
    """`booted` None: it does not run, so that its next start is with this very definition."""
    rest = replace(spec, generation=Generation(0), name="")
    digest = hashlib.sha256(repr(rest).encode()).hexdigest()[:16]
    return Label(
        spec.id,
        spec.generation,
        digest,
        spec.volume,
        spec.generation if booted is None else booted,
    )


def server_uuid(server: ServerId) -> str:
    """The same on every host, so that a server is one machine wherever it runs."""
    return str(uuid.uuid5(_UUIDS, server))


def bridge_for(template: str, spec: ServerSpec) -> str:
    """The host's bridge for the server: an endpoint names one bridge, or one per zone with `{zone}` in
    its place, such as `br-{zone}`, or one per member's network with `{segment}`. Raises DriverError for
    a server without a network of its member where the host has a bridge for each."""
    if _has_segments(template) and not spec.segment:
        raise DriverError(
            f"Server {spec.id} has no network of its member, and its host keeps members apart"
        )
    named = template.replace("{segment}", str(spec.segment))
    return named.replace("{zone}", spec.zone.value)


def tap_for(spec: ServerSpec) -> str:
    """The host's end of the server's card: the host's packet rules, which are there before the card is,
    know it by this name. 14 of Linux's 15 characters."""
    return "yp" + spec.mac.replace(":", "")


def _has_segments(template: str) -> bool:
    return "{segment}" in template


def domain_xml(spec: ServerSpec, platform: Platform, booted: Generation | None = None) -> str:
    """The persistent definition of a server; `booted` as in `label_of`."""
    domain = Element("domain", type="kvm" if platform.accelerated else "qemu")
    SubElement(domain, "name").text = spec.id
    SubElement(domain, "uuid").text = server_uuid(spec.id)
    SubElement(domain, "title").text = " ".join(spec.name.split())
    SubElement(domain, "metadata").append(label_of(spec, booted).to_element())
    _set_size(domain, spec.size)
    system = SubElement(domain, "os")
    SubElement(system, "type", arch="x86_64", machine=platform.machine).text = "hvm"
    SubElement(system, "boot", dev="hd")
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    SubElement(features, "apic")
    if platform.accelerated:
        SubElement(domain, "cpu", mode="host-model")
    else:
        cache = SubElement(SubElement(features, "tcg"), "tb-cache", unit="MiB")
        cache.text = _TRANSLATION_CACHE
    SubElement(domain, "clock", offset="utc")
    SubElement(domain, "on_poweroff").text = "destroy"
    SubElement(domain, "on_reboot").text = "restart"
    SubElement(domain, "on_crash").text = "destroy"
    _add_devices(domain, spec, platform)
    return tostring(domain, encoding="unicode")


def resized(domain_xml: str, size: Resources) -> str:
    """A definition with another size, all else as it was."""
    domain = fromstring(domain_xml)  # noqa: S314 — from our own host's libvirt
    for name in ("memory", "currentMemory", "vcpu", "vcpus"):
        for element in domain.findall(name):
            domain.remove(element)
    _set_size(domain, size)
    return tostring(domain, encoding="unicode")


def _set_size(domain: Element, size: Resources) -> None:
    SubElement(domain, "memory", unit="MiB").text = str(size.memory)
    SubElement(domain, "currentMemory", unit="MiB").text = str(size.memory)
    ceiling = max(size.vcpu, _VCPU_CEILING)
    SubElement(domain, "vcpu", placement="static", current=str(size.vcpu)).text = str(ceiling)


def root_disk(spec: ServerSpec) -> Element:
    disk = Element("disk", type="file", device="disk")
    add_file(disk, root_path(spec.id, spec.volume), spec.volume.backing)
    SubElement(disk, "target", dev="vda", bus="virtio")
    return disk


def _add_devices(domain: Element, spec: ServerSpec, platform: Platform) -> None:
    devices = SubElement(domain, "devices")
    folder = server_folder(spec.id, spec.volume)
    devices.append(root_disk(spec))
    # A read-only virtio disk rather than a CD-ROM: NoCloud goes by the label, and a guest need not
    # wait for an IDE bus to be probed.
    seed = SubElement(devices, "disk", type="file", device="disk")
    SubElement(seed, "driver", name="qemu", type="raw", cache="none")
    SubElement(seed, "source", file=posixpath.join(folder, SEED))
    SubElement(seed, "target", dev="vdb", bus="virtio")
    SubElement(seed, "readonly")
    devices.extend(data_disk(volume) for volume in spec.data_volumes)
    SubElement(devices, "controller", type="usb", model="none")
    _add_card(domain, devices, spec, platform)
    serial = SubElement(devices, "serial", type="file")
    SubElement(serial, "source", path=posixpath.join(folder, CONSOLE), append="on")
    SubElement(serial, "target", port="0")
    agent = SubElement(devices, "channel", type="unix")
    SubElement(agent, "target", type="virtio", name="org.qemu.guest_agent.0")
    SubElement(devices, "memballoon", model="virtio")
    random = SubElement(devices, "rng", model="virtio")
    SubElement(random, "backend", model="random").text = "/dev/urandom"


def _add_card(domain: Element, devices: Element, spec: ServerSpec, platform: Platform) -> None:
    card = SubElement(devices, "interface", type="bridge")
    SubElement(card, "mac", address=spec.mac)
    if not (spec.isolated and platform.lone_cards):
        SubElement(card, "source", bridge=bridge_for(platform.bridge, spec))
        if _has_segments(platform.bridge):
            SubElement(card, "target", dev=tap_for(spec))
        if spec.isolated:
            # QEMU passes nothing on, either way. (libvirt 9.0 dies of a card of its type "null".)
            SubElement(card, "link", state="down")
    SubElement(card, "model", type="virtio")
    # Servers boot from their disk, so the card needs no boot program.
    SubElement(card, "rom", enabled="no")
    if spec.isolated and platform.lone_cards:
        lone_card.add(domain, devices, card)

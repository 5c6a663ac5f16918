"""A system as an OVF descriptor, so that other platforms know what its disks want to run in.

Format: Open Virtualization Format, DMTF DSP0243 version 2.1.1, whose section numbers stand beside what
follows them; hardware as CIM classes (DSP0004) in their XML form (DSP0230), whose elements stand in the
order of their names. `read` understands what `write` writes, and refuses what the format does not allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import (
    Element,
    ParseError,
    SubElement,
    fromstring,
    indent,
    register_namespace,
    tostring,
)

OVF = "http://schemas.dmtf.org/ovf/envelope/2"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
VSSD = f"{_CIM}VirtualSystemSettingData"
RASD = f"{_CIM}ResourceAllocationSettingData"
EPASD = f"{_CIM}EthernetPortAllocationSettingData.xsd"
SASD = f"{_CIM}StorageAllocationSettingData.xsd"
QCOW2 = "http://www.gnome.org/~markmc/qcow-image-format.html"
"""How descriptors name qcow2 by custom; the specification leaves formats to their makers (9.1)."""

_GIB = 2**30
_PROCESSOR, _MEMORY, _ETHERNET, _DISK, _CONTROLLER = "3", "4", "10", "17", "20"
"""CIM_ResourceAllocationSettingData.ResourceType."""
_KINDS = {
    "Item": (RASD, {_PROCESSOR, _MEMORY, _CONTROLLER}),
    "StorageItem": (SASD, {_DISK}),
    "EthernetPortItem": (EPASD, {_ETHERNET}),
}
"""Parts of the hardware, in the order in which they stand, and what they may be."""
_UNITS = {"byte": 1, "byte * 2^30": _GIB}
_OTHER = "1"
"""CIM_OperatingSystem.OsType: which system a guest runs is its owner's affair and not known here."""


@dataclass(frozen=True, slots=True)
class OvfDisk:
    """`file` lies beside the descriptor. `capacity` are the bytes that a guest sees, `length` those of the
    file."""

    file: str
    length: int
    capacity: int


@dataclass(frozen=True, slots=True)
class OvfMachine:
    """`disks` in the order in which the guest sees them, the one that it boots from first. `start_order`
    from 0: lower ones start before it and stop after it."""

    id: str
    name: str
    vcpus: int
    memory_mib: int
    mac: str
    network: str
    start_order: int
    disks: tuple[OvfDisk, ...]


@dataclass(frozen=True, slots=True)
class OvfSystem:
    id: str
    name: str
    machines: tuple[OvfMachine, ...]


def write(system: OvfSystem) -> bytes:
    """The descriptor, UTF-8. Raises ValueError where two files or two machines have one name."""
    disks = [disk for machine in system.machines for disk in machine.disks]
    _refuse_twice([disk.file for disk in disks])
    _refuse_twice([machine.id for machine in system.machines])
    for prefix, namespace in (
        ("ovf", OVF),
        ("vssd", VSSD),
        ("rasd", RASD),
        ("epasd", EPASD),
        ("sasd", SASD),
    ):
        register_namespace(prefix, namespace)
    envelope = Element(_ovf("Envelope"))
    numbers = {disk.file: number for number, disk in enumerate(disks, 1)}
    _write_files(envelope, disks, numbers)
    _write_networks(envelope, sorted({machine.network for machine in system.machines}))
    collection = SubElement(envelope, _ovf("VirtualSystemCollection"), {_ovf("id"): system.id})
    SubElement(collection, _ovf("Info")).text = "The servers of one system"
    SubElement(collection, _ovf("Name")).text = system.name
    startup = SubElement(collection, _ovf("StartupSection"))
    SubElement(startup, _ovf("Info")).text = "In which order they start"
    for machine in sorted(system.machines, key=lambda each: (each.start_order, each.id)):
        SubElement(
            startup,
            _ovf("Item"),
            # 0 would mean that the order does not matter (9.7).
            {_ovf("id"): machine.id, _ovf("order"): str(machine.start_order + 1)},
        )
    for machine in system.machines:
        _write_machine(collection, machine, numbers)
    indent(envelope)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(envelope) + b"\n"


def _write_files(envelope: Element, disks: Sequence[OvfDisk], numbers: dict[str, int]) -> None:
    references = SubElement(envelope, _ovf("References"))
    for disk in disks:
        SubElement(
            references,
            _ovf("File"),
            {
                _ovf("id"): f"file{numbers[disk.file]}",
                _ovf("href"): disk.file,
                _ovf("size"): str(disk.length),
            },
        )
    section = SubElement(envelope, _ovf("DiskSection"))
    SubElement(section, _ovf("Info")).text = "Disks, and the files that hold them"
    for disk in disks:
        whole = disk.capacity % _GIB == 0
        SubElement(
            section,
            _ovf("Disk"),
            {
                _ovf("diskId"): f"disk{numbers[disk.file]}",
                _ovf("fileRef"): f"file{numbers[disk.file]}",
                _ovf("capacity"): str(disk.capacity // _GIB if whole else disk.capacity),
                _ovf("capacityAllocationUnits"): "byte * 2^30" if whole else "byte",
                _ovf("format"): QCOW2,
            },
        )


def _write_networks(envelope: Element, networks: Sequence[str]) -> None:
    section = SubElement(envelope, _ovf("NetworkSection"))
    SubElement(section, _ovf("Info")).text = "Networks"
    for name in networks:
        network = SubElement(section, _ovf("Network"), {_ovf("name"): name})
        SubElement(network, _ovf("Description")).text = f"The zone {name}"


def _write_machine(collection: Element, machine: OvfMachine, numbers: dict[str, int]) -> None:
    system = SubElement(collection, _ovf("VirtualSystem"), {_ovf("id"): machine.id})
    SubElement(system, _ovf("Info")).text = "A server"
    SubElement(system, _ovf("Name")).text = machine.name
    guest = SubElement(system, _ovf("OperatingSystemSection"), {_ovf("id"): _OTHER})
    SubElement(guest, _ovf("Info")).text = "A guest with virtio drivers"
    hardware = SubElement(system, _ovf("VirtualHardwareSection"))
    SubElement(hardware, _ovf("Info")).text = "What it runs in"
    identity = SubElement(hardware, _ovf("System"))
    for name, text in (
        ("ElementName", machine.name),
        ("InstanceID", "0"),
        ("VirtualSystemIdentifier", machine.id),
        ("VirtualSystemType", "kvm"),
    ):
        SubElement(identity, f"{{{VSSD}}}{name}").text = text
    _write_item(
        hardware,
        "Item",
        RASD,
        ElementName=f"{machine.vcpus} virtual processors",
        InstanceID="1",
        ResourceType=_PROCESSOR,
        VirtualQuantity=str(machine.vcpus),
    )
    _write_item(
        hardware,
        "Item",
        RASD,
        AllocationUnits="byte * 2^20",
        ElementName=f"{machine.memory_mib} MiB of memory",
        InstanceID="2",
        ResourceType=_MEMORY,
        VirtualQuantity=str(machine.memory_mib),
    )
    if machine.disks:
        _write_item(
            hardware,
            "Item",
            RASD,
            ElementName="Disk controller",
            InstanceID="4",
            ResourceSubType="virtio",
            ResourceType=_CONTROLLER,
        )
    for position, disk in enumerate(machine.disks):
        _write_item(
            hardware,
            "StorageItem",
            SASD,
            AddressOnParent=str(position),
            ElementName=f"Disk {position}",
            HostResource=f"ovf:/disk/disk{numbers[disk.file]}",
            InstanceID=str(10 + position),
            Parent="4",
            ResourceSubType="virtio",
            ResourceType=_DISK,
        )
    _write_item(
        hardware,
        "EthernetPortItem",
        EPASD,
        Address=machine.mac,
        AutomaticAllocation="true",
        Connection=machine.network,
        ElementName="Network card",
        InstanceID="3",
        ResourceSubType="virtio",
        ResourceType=_ETHERNET,
    )


def _write_item(hardware: Element, kind: str, namespace: str, **values: str) -> None:
    item = SubElement(hardware, _ovf(kind))
    for name, value in values.items():
        SubElement(item, f"{{{namespace}}}{name}").text = value


def read(descriptor: bytes) -> OvfSystem:
    """What a descriptor says. Raises ValueError where it is not one of ours, or breaks a rule of the
    format: parts in their order, every reference to something that is there."""
    try:
        envelope = fromstring(descriptor)  # noqa: S314 — our own file; expat of 2.4.1 and later bounds entities
    except ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    _need(envelope.tag == _ovf("Envelope"), "the outermost element is no ovf:Envelope")
    order = [child.tag for child in envelope]
    wanted = ["References", "DiskSection", "NetworkSection", "VirtualSystemCollection"]
    _need(order == [_ovf(name) for name in wanted], "the envelope's parts or their order")
    references, disks, networks, collection = envelope
    files = _by_id(references, "File", "id")
    images = {id: _disk(disk, files) for id, disk in _by_id(disks, "Disk", "diskId").items()}
    _need(len(images) == len(files), "files and disks do not match")
    known = set(_by_id(networks, "Network", "name"))
    startup = collection.find(_ovf("StartupSection"))
    orders = {} if startup is None else _by_id(startup, "Item", "id")
    found = _by_id(collection, "VirtualSystem", "id")
    _need(found.keys() == orders.keys(), "machines and their order of starting do not match")
    machines = [
        _machine(id, machine, images, int(_named(orders[id], "order")) - 1)
        for id, machine in found.items()
    ]
    _need({machine.network for machine in machines} == known, "networks that are not declared")
    used = [disk for machine in machines for disk in machine.disks]
    _need(len(used) == len(images) == len(set(used)), "a disk of no machine, or of two")
    return OvfSystem(_named(collection, "id"), _text(collection, _ovf("Name")), tuple(machines))


def _disk(disk: Element, files: dict[str, Element]) -> OvfDisk:
    file = files.get(_named(disk, "fileRef"))
    _need(file is not None, "a disk in no file")
    assert file is not None  # noqa: S101 — for the type checker
    _need(_named(disk, "format") == QCOW2, "a disk of another format")
    units = _UNITS.get(_named(disk, "capacityAllocationUnits"), 0)
    _need(units > 0, "a capacity in units of another kind")
    return OvfDisk(
        _named(file, "href"), int(_named(file, "size")), int(_named(disk, "capacity")) * units
    )


def _machine(id: str, machine: Element, images: dict[str, OvfDisk], order: int) -> OvfMachine:
    hardware = machine.find(_ovf("VirtualHardwareSection"))
    _need(hardware is not None, f"{id} has no hardware")
    assert hardware is not None  # noqa: S101 — for the type checker
    numbers = _check_hardware(id, hardware)
    amounts = {
        _text(item, f"{{{RASD}}}ResourceType"): int(_text(item, f"{{{RASD}}}VirtualQuantity"))
        for item in hardware.findall(_ovf("Item"))
        if _text(item, f"{{{RASD}}}ResourceType") != _CONTROLLER
    }
    _need(amounts.keys() == {_PROCESSOR, _MEMORY}, f"{id} lacks processors or memory")
    disks = []
    for position, item in enumerate(hardware.findall(_ovf("StorageItem"))):
        where = _text(item, f"{{{SASD}}}HostResource")
        _need(
            where.removeprefix("ovf:/disk/") in images,
            f"{id} refers to {where}, which is not there",
        )
        _need(_text(item, f"{{{SASD}}}Parent") in numbers, f"{id}'s disks have no controller")
        _need(_text(item, f"{{{SASD}}}AddressOnParent") == str(position), f"{id}'s disks' order")
        disks.append(images[where.removeprefix("ovf:/disk/")])
    card = hardware.find(_ovf("EthernetPortItem"))
    _need(card is not None, f"{id} has no network card")
    assert card is not None  # noqa: S101 — for the type checker
    return OvfMachine(
        id,
        _text(machine, _ovf("Name")),
        amounts[_PROCESSOR],
        amounts[_MEMORY],
        _text(card, f"{{{EPASD}}}Address"),
        _text(card, f"{{{EPASD}}}Connection"),
        order,
        tuple(disks),
    )


def _check_hardware(id: str, hardware: Element) -> list[str]:
    """The numbers of its parts, which stand in the order of their kinds, have what every CIM setting
    asks for, and have it in the order of their names."""
    order = [_ovf("Info"), _ovf("System"), *(_ovf(kind) for kind in _KINDS)]
    ranks = [order.index(child.tag) if child.tag in order else -1 for child in hardware]
    _need(ranks == sorted(ranks) and -1 not in ranks, f"{id}'s hardware is out of order")
    numbers = []
    for kind, (namespace, types) in _KINDS.items():
        for item in hardware.findall(_ovf(kind)):
            _text(item, f"{{{namespace}}}ElementName")
            numbers.append(_text(item, f"{{{namespace}}}InstanceID"))
            _need(
                _text(item, f"{{{namespace}}}ResourceType") in types,
                f"{id} has a {kind} of another kind",
            )
            names = [each.tag for each in item]
            _need(names == sorted(names), f"{id}'s hardware has elements out of order")
    _refuse_twice(numbers)
    return numbers


def _by_id(parent: Element, name: str, key: str) -> dict[str, Element]:
    found = parent.findall(_ovf(name))
    _refuse_twice([_named(each, key) for each in found])
    return {_named(each, key): each for each in found}


def _named(element: Element, attribute: str) -> str:
    value = element.get(_ovf(attribute))
    _need(value is not None, f"{element.tag} lacks {attribute}")
    return value or ""


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    _need(found is not None, f"{element.tag} lacks {path}")
    return "" if found is None else found.text or ""


def _ovf(name: str) -> str:
    return f"{{{OVF}}}{name}"


def _refuse_twice(names: Sequence[str]) -> None:
    _need(len(names) == len(set(names)), f"a name stands twice among {sorted(names)}")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"not an OVF descriptor of ours: {what}")

"""Judges what a vendor's description asks of the machine: an OVF, a libvirt domain, or plain JSON.

Yui takes nothing over from it. It is read to find out whether the guest was built for one host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from control_plane.model.errors import YuiError
from images.standard import BIOS, NO_HOST_PINNING, VIRTIO

MAX_CHARACTERS = 256 * 1024

Wish = tuple[str, str, str]
"""The id of the requirement that it breaks, and what it is in English and Japanese."""

_KEYS = {
    "cpu_pinning": (NO_HOST_PINNING, "pinned CPUs", "CPU の固定"),
    "host_devices": (NO_HOST_PINNING, "devices of the host", "ホストの装置"),
    "host_cpu_model": (NO_HOST_PINNING, "the CPU model of its host", "ホスト固有の CPU"),
    "fixed_mac_addresses": (NO_HOST_PINNING, "fixed MAC addresses", "固定 MAC アドレス"),
    "host_paths": (NO_HOST_PINNING, "files or disks of the host", "ホストのファイルやディスク"),
}
_HARDWARE = {
    "disk_bus": (VIRTIO, "virtio", "disks on {value}", "{value} のディスク"),
    "network_model": (VIRTIO, "virtio", "network cards of the kind {value}", "{value} のネットワークカード"),
    "firmware": (BIOS, "bios", "the firmware {value}", "ファームウェア {value}"),
}  # fmt: skip


def wishes_that_break(text: str) -> tuple[Wish, ...]:
    """What the description asks for and the standard forbids, each once.

    Raises "machine-description-invalid" for what is none of the three, and for JSON with a key that
    is not known."""
    if len(text) > MAX_CHARACTERS:
        raise _invalid("it is longer than 262,144 characters", "262,144 文字を超えています")
    wishes = _in_json(text) if text.lstrip().startswith("{") else _in_xml(text)
    return tuple(dict.fromkeys(wishes))


def _in_json(text: str) -> Iterator[Wish]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON", "JSON として読めません") from None
    for key, value in found.items():
        if key in _KEYS:
            if value not in (False, None, [], {}, ""):
                yield _KEYS[key]
        elif key in _HARDWARE:
            requirement, wanted, en, ja = _HARDWARE[key]
            if not isinstance(value, str) or value.lower() != wanted:
                shown = _shown(value)
                yield requirement, en.format(value=shown), ja.format(value=shown)
        else:
            known = ", ".join((*_KEYS, *_HARDWARE))
            raise _invalid(
                f"it has the unknown key '{key[:40]}'; known are {known}",
                f"未知のキー「{key[:40]}」があります。使えるのは {known} です",
            )


def _in_xml(text: str) -> Iterator[Wish]:
    # Without a document type there are no entities, so nothing can unfold or lead to a file.
    if "<!DOCTYPE" in text:
        raise _invalid("it has a document type, which is not read", "DOCTYPE は使えません")
    try:
        root = fromstring(text)  # noqa: S314
    except (ParseError, ValueError, RecursionError):
        raise _invalid(
            "it is neither OVF, nor a libvirt domain, nor JSON",
            "OVF でも libvirt のドメイン定義でも JSON でもありません",
        ) from None
    match _local(root.tag):
        case "domain":
            yield from _in_domain(root)
        case "Envelope":
            yield from _in_ovf(root)
        case other:
            raise _invalid(
                f"its root is '{other[:40]}'; an OVF has Envelope, a libvirt domain has domain",
                f"ルート要素が「{other[:40]}」です。OVF なら Envelope、libvirt なら domain です",
            )


def _in_domain(domain: Element) -> Iterator[Wish]:
    """Elements as https://libvirt.org/formatdomain.html names them."""
    pins = ("cputune/vcpupin", "cputune/emulatorpin", "cputune/iothreadpin", "numatune/memory")
    vcpu = domain.find("vcpu")
    if any(domain.find(pin) is not None for pin in pins) or (
        vcpu is not None and "cpuset" in vcpu.attrib
    ):
        yield _KEYS["cpu_pinning"]
    if domain.find("devices/hostdev") is not None:
        yield _KEYS["host_devices"]
    cpu = domain.find("cpu")
    if cpu is not None and cpu.get("mode") == "host-passthrough":
        yield _KEYS["host_cpu_model"]
    system = domain.find("os")
    if system is not None and (
        system.get("firmware") == "efi" or system.find("loader") is not None
    ):
        yield _hardware("firmware", "efi")
    for disk in domain.iterfind("devices/disk"):
        if disk.get("type") == "block":
            yield _KEYS["host_paths"]
        target = disk.find("target")
        if disk.get("device", "disk") == "disk" and target is not None:
            yield from _unless_virtio("disk_bus", target.get("bus", "virtio"))
    for card in domain.iterfind("devices/interface"):
        if card.get("type") in {"hostdev", "direct", "vdpa"}:
            yield _KEYS["host_devices"]
        if card.find("mac") is not None:
            yield _KEYS["fixed_mac_addresses"]
        model = card.find("model")
        yield from _unless_virtio(
            "network_model", model.get("type", "") if model is not None else ""
        )


_DISK, _ETHERNET = "17", "10"
_HOST_PARTS = frozenset({"host_device", "pcipassthrough", "vmware.pcipassthrough"})


def _in_ovf(envelope: Element) -> Iterator[Wish]:
    """The hardware section of an OVF (DMTF DSP0243 §8.3): CIM's RASD items."""
    for item in envelope.iter():
        if _local(item.tag) == "ExtraConfig":
            yield from _in_extra_config(item)
        if _local(item.tag) not in {"Item", "StorageItem", "EthernetPortItem"}:
            continue
        has = {_local(child.tag): (child.text or "").strip() for child in item}
        kind, subtype = has.get("ResourceType", ""), has.get("ResourceSubType", "")
        if subtype.lower() in _HOST_PARTS:
            yield _KEYS["host_devices"]
        if "HostResource" in has and not has["HostResource"].startswith(("ovf:/", "/disk/")):
            yield _KEYS["host_paths"]
        if kind == _ETHERNET or _local(item.tag) == "EthernetPortItem":
            if has.get("Address"):
                yield _KEYS["fixed_mac_addresses"]
            yield from _unless_virtio("network_model", subtype)
    for machine in envelope.iter():
        if _local(machine.tag) == "Config" and _attribute(machine, "key") == "firmware":
            value = _attribute(machine, "value")
            if value.lower() == "efi":
                yield _hardware("firmware", "efi")


def _in_extra_config(item: Element) -> Iterator[Wish]:
    """What one vendor writes beside the standard's items."""
    key, value = _attribute(item, "key").lower(), _attribute(item, "value").lower()
    if key.startswith("sched.cpu.affinity") and value not in {"", "all"}:
        yield _KEYS["cpu_pinning"]
    if key.startswith("pcipassthru") and key.endswith(".present") and value == "true":
        yield _KEYS["host_devices"]
    if key.endswith(".addresstype") and value == "static":
        yield _KEYS["fixed_mac_addresses"]


def _unless_virtio(key: str, value: str) -> Iterator[Wish]:
    """A part without a kind leaves the choice to whoever runs it."""
    if value and not value.lower().startswith("virtio"):
        yield _hardware(key, value)


def _hardware(key: str, value: str) -> Wish:
    requirement, _, en, ja = _HARDWARE[key]
    return requirement, en.format(value=_shown(value)), ja.format(value=_shown(value))


def _shown(value: Any) -> str:
    """Short, and on one line."""
    return "".join(c if c.isprintable() else "?" for c in str(value)[:40])


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _attribute(element: Element, name: str) -> str:
    return next((v for key, v in element.attrib.items() if _local(key) == name), "")


def _invalid(en: str, ja: str) -> YuiError:
    return YuiError(
        "machine-description-invalid",
        en=f"The machine's description can't be judged: {en}. Give an OVF, a libvirt domain or JSON, or leave it out.",
        ja=f"マシン定義を判定できません({ja})。OVF、libvirt のドメイン定義、JSON のいずれかを指定するか、省略してください。",
    )

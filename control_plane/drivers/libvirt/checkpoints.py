"""Which disks' changes QEMU has kept track of since an earlier backup, beyond any doubt.

A checkpoint is libvirt's name for bitmaps that QEMU keeps in the disks' own files, one for each disk,
and marks as worth nothing while it has them open for writing: a crash leaves them so. What libvirt
remembers of a checkpoint stays on the host that made it, so that one is known only where the server has
been since. Beside that Yui writes down which file of which size each disk was.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import libvirt

from control_plane.drivers.libvirt.errors import is_code
from control_plane.model.full_read import WhyFull

_OURS = "yui."
_NAME = re.compile(r"[A-Za-z0-9.-]{1,64}")
_BITMAP_GONE = (libvirt.VIR_ERR_CHECKPOINT_INCONSISTENT, libvirt.VIR_ERR_NO_DOMAIN_CHECKPOINT)


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A disk of a machine: its file, and its size in bytes."""

    file: str
    size: int


def require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no checkpoint's name")


def known_as(name: str) -> str:
    """What libvirt and QEMU call it."""
    return _OURS + name


def ours(domain: libvirt.virDomain) -> dict[str, libvirt.virDomainCheckpoint]:
    """By their names in libvirt; others' are left alone."""
    found = {each.getName(): each for each in domain.listAllCheckpoints(0)}
    return {name: each for name, each in found.items() if name.startswith(_OURS)}


def doubts(
    checkpoint: libvirt.virDomainCheckpoint, disks: Mapping[str, DiskFacts]
) -> dict[str, WhyFull]:
    """By device, of those disks whose changes since then are not to be believed."""
    then = _written_in(checkpoint)
    found = {}
    for device, now in disks.items():
        before = then.get(device)
        if before is None:
            found[device] = WhyFull.NEW_DISK
        elif before.file != now.file:
            found[device] = WhyFull.MADE_ANEW
        elif before.size != now.size:
            found[device] = WhyFull.RESIZED
    return found


def checkpoint_xml(name: str, disks: Mapping[str, DiskFacts], others: list[str]) -> str:
    """A checkpoint of these disks; `others` are the machine's other devices."""
    checkpoint = Element("domaincheckpoint")
    SubElement(checkpoint, "name").text = known_as(name)
    facts = {device: [disk.file, disk.size] for device, disk in disks.items()}
    SubElement(checkpoint, "description").text = json.dumps(facts, sort_keys=True)
    listed = SubElement(checkpoint, "disks")
    for device in disks:
        SubElement(listed, "disk", name=device, checkpoint="bitmap")
    for device in others:
        SubElement(listed, "disk", name=device, checkpoint="no")
    return tostring(checkpoint, encoding="unicode")


def forget(domain: libvirt.virDomain, *, but: str | None) -> bool:
    """Remove our checkpoints and their bitmaps from a running machine, all or all but one. False where
    one could not be removed, so that what is left of the others is in doubt."""
    clean = True
    for name, checkpoint in ours(domain).items():
        if name == but:
            continue
        try:
            checkpoint.delete(0)
        except libvirt.libvirtError:
            # Its bitmap is gone already, as after a crash.
            clean = False
            with contextlib.suppress(libvirt.libvirtError):
                checkpoint.delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
    return clean


def remove_orphans(domain: libvirt.virDomain, found: Mapping[str, list[str]]) -> None:
    """Have a running machine's QEMU remove what it would keep track of for nobody, as from the time when
    the server was elsewhere: `found` are the bitmaps in the files, by device."""
    known = ours(domain)
    named = sorted({name for names in found.values() for name in names if name.startswith(_OURS)})
    for name in named:
        if name in known:
            continue
        devices = [device for device, names in found.items() if name in names]
        # libvirt is told of the checkpoint again, so that it knows what to remove.
        again = Element("domaincheckpoint")
        SubElement(again, "name").text = name
        SubElement(again, "creationTime").text = "1"
        listed = SubElement(again, "disks")
        for device in devices:
            SubElement(listed, "disk", name=device, checkpoint="bitmap", bitmap=name)
        again.append(fromstring(domain.XMLDesc(0)))  # noqa: S314 — from our own host's libvirt
        redefine = libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE
        with contextlib.suppress(libvirt.libvirtError):
            domain.checkpointCreateXML(tostring(again, encoding="unicode"), redefine).delete(0)


def is_about_bitmaps(error: libvirt.libvirtError) -> bool:
    """True where libvirt or QEMU would not go by a bitmap; the same without it may well succeed."""
    return is_code(error, *_BITMAP_GONE) or "bitmap" in str(error).lower()


def is_lost(error: libvirt.libvirtError) -> bool:
    return is_code(error, *_BITMAP_GONE)


def _written_in(checkpoint: libvirt.virDomainCheckpoint) -> dict[str, DiskFacts]:
    described = fromstring(checkpoint.getXMLDesc(0))  # noqa: S314 — from our own host's libvirt
    try:
        facts = json.loads(described.findtext("description", ""))
        return {device: DiskFacts(str(file), int(size)) for device, (file, size) in facts.items()}
    except (ValueError, TypeError, AttributeError):
        return {}

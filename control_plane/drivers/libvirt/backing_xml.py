"""What a disk leans on, as QEMU's own files and libvirt's descriptions name it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, SubElement

from control_plane.drivers.protocol import DriverError


def backing_element(backing: str) -> Element:
    """Raises DriverError for anything but a disk that is served over NBD."""
    parts = urlsplit(backing)
    store = Element("backingStore", type="network")
    SubElement(store, "format", type="raw")
    source = SubElement(store, "source", protocol="nbd", name=parts.path.removeprefix("/"))
    socket = parse_qs(parts.query).get("socket", [None])[0]
    if parts.scheme == "nbd+unix" and socket is not None:
        SubElement(source, "host", transport="unix", socket=socket)
    elif parts.scheme in ("nbd", "nbds") and parts.hostname and parts.port:
        SubElement(source, "host", name=parts.hostname, port=str(parts.port))
        if parts.scheme == "nbds":
            source.set("tls", "yes")
    else:
        raise DriverError(f"A disk can't lean on {parts.scheme}: it is served over NBD")
    SubElement(store, "backingStore")
    return store


def name_in_file(backing: str) -> str:
    """What stands in the file itself. QEMU's tools know no name for NBD over TLS: by this one they are turned away,
    and never take for zeros what the file lacks."""
    scheme, colon, rest = backing.partition(":")
    return f"nbd{colon}{rest}" if scheme == "nbds" else backing

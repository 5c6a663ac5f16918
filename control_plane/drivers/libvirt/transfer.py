"""Moves bytes between the control plane and files on a host, over the libvirt connection."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

import libvirt

_CHUNK = 256 * 1024
"""Just under the largest payload of one libvirt stream message (262,120 bytes) goes out at a time."""
_PAYLOAD = 262_120


def make_file(
    connection: libvirt.virConnect,
    folder: libvirt.virStoragePool,
    name: str,
    length: int,
    chunks: Iterable[bytes],
) -> None:
    """Make a file of `length` bytes from `chunks`. What was written is removed on any failure.

    Raises libvirtError, also where the file exists."""
    volume = folder.createXML(file_xml(name, "raw", length), 0)
    try:
        if length:
            _send(connection, volume, 0, length, chunks)
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            volume.delete(0)
        raise


def write_file(
    connection: libvirt.virConnect, volume: libvirt.virStorageVol, offset: int, data: bytes
) -> None:
    """Write into a file that is there, which grows as it must."""
    _send(connection, volume, offset, len(data), [data])


def file_xml(name: str, format: str, capacity: int) -> str:
    """A volume of a directory pool: file name, format, size in bytes; nothing is allocated ahead."""
    volume = Element("volume", type="file")
    SubElement(volume, "name").text = name
    SubElement(volume, "capacity", unit="bytes").text = str(capacity)
    SubElement(volume, "allocation", unit="bytes").text = "0"
    target = SubElement(volume, "target")
    SubElement(target, "format", type=format)
    permissions = SubElement(target, "permissions")
    SubElement(permissions, "mode").text = "0600"
    if format == "qcow2":
        SubElement(target, "compat").text = "1.1"
    return tostring(volume, encoding="unicode")


def _send(
    connection: libvirt.virConnect,
    volume: libvirt.virStorageVol,
    offset: int,
    length: int,
    chunks: Iterable[bytes],
) -> None:
    stream = connection.newStream(0)
    volume.upload(stream, offset, length, 0)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                sent = stream.send(bytes(rest[:_PAYLOAD]))
                rest = rest[sent:]
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise


def read_file(
    connection: libvirt.virConnect,
    volume: libvirt.virStorageVol,
    offset: int = 0,
    length: int = 0,
) -> Iterator[bytes]:
    """The file's bytes from `offset` on; at most `length`, or with 0 all of them."""
    stream = connection.newStream(0)
    volume.download(stream, offset, length, 0)
    try:
        while chunk := stream.recv(_CHUNK):
            yield chunk
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise


def sha256_of(connection: libvirt.virConnect, volume: libvirt.virStorageVol) -> str:
    """Hex digest of the bytes that are on the host, read back from there."""
    digest = hashlib.sha256()
    for chunk in read_file(connection, volume):
        digest.update(chunk)
    return digest.hexdigest()

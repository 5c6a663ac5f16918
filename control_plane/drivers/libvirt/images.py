"""The image cache of one host: each image once, its bytes checked where they lie."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import libvirt

from control_plane.drivers.libvirt.storage import find, format_of, known_folder, open_folder
from control_plane.drivers.libvirt.transfer import make_file, sha256_of
from control_plane.drivers.protocol import DriverError, ImageCorrupt
from control_plane.model.image import Image

IMAGE_CACHE = "/var/lib/libvirt/yui-images"
"""On the host's own disk: shared storage keeps only what must be shared."""
_CHUNK = 1024 * 1024


class ImageCache:
    """Files are named by their sha256, and one that was found whole is believed for as long as this
    object lives; a copy that was cut off is found out by its digest, so no name is ever wrong."""

    def __init__(self, host: str, path: str = IMAGE_CACHE) -> None:
        self._host = host
        self._path = path
        self._lock = threading.Lock()
        self._verified: set[str] = set()

    def ensure(self, connection: libvirt.virConnect, image: Image) -> libvirt.virStorageVol:
        """The image on the host, sent there where it isn't yet.

        Raises ImageCorrupt, DriverError, libvirtError; a bad copy is removed."""
        name = _file_name(image)
        with self._lock:
            if image.sha256 in self._verified:
                known = _listed(connection, self._path, name)
                if known is not None:
                    return known
                self._verified.discard(image.sha256)
            folder = open_folder(connection, self._path, make=True)
            cached = find(folder, name)
            if cached is not None and sha256_of(connection, cached) != image.sha256:
                cached.delete(0)
                cached = None
            if cached is None:
                cached = self._fetch(connection, folder, image)
            self._verified.add(image.sha256)
            return cached

    def _fetch(
        self, connection: libvirt.virConnect, folder: libvirt.virStoragePool, image: Image
    ) -> libvirt.virStorageVol:
        source = Path(image.location)
        try:
            length = source.stat().st_size
            make_file(connection, folder, _file_name(image), length, _read(source, length))
        except OSError as error:
            raise DriverError(
                f"Image {image.id} cannot be read from {image.location}: {error.strerror}"
            ) from error
        folder.refresh(0)
        arrived = folder.storageVolLookupByName(_file_name(image))
        try:
            digest = sha256_of(connection, arrived)
            if digest != image.sha256:
                raise ImageCorrupt(
                    f"Image {image.id} arrived on host {self._host} with sha256 {digest} instead of {image.sha256}"
                )
            found = format_of(arrived)
            if found != image.format:
                raise ImageCorrupt(f"Image {image.id} is {found}, not {image.format} as it says")
        except DriverError:
            arrived.delete(0)
            raise
        return arrived


def _listed(connection: libvirt.virConnect, path: str, name: str) -> libvirt.virStorageVol | None:
    """What libvirt last saw there; unlike a fresh look this works while volumes are being made."""
    folder = known_folder(connection, path)
    return None if folder is None else find(folder, name)


def _file_name(image: Image) -> str:
    return f"{image.sha256}.{image.format}"


def _read(source: Path, length: int) -> Iterator[bytes]:
    """At most `length` bytes: a file that grows meanwhile must not run past what was announced."""
    with source.open("rb") as file:
        while length > 0 and (chunk := file.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk

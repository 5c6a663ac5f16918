"""Folders on a host, as libvirt directory pools that exist only while they are of use.

On shared storage every server has a folder of its own, `<pool>/<server id>/`, with

    root.qcow2      its root volume; root-<n>.qcow2 once it was made anew n times
    seed.iso        its NoCloud seed
    console.log     what its serial console printed (console.log.0: what came before)
    <volume>.being-made    only while that one is being made: it has never been started
    <volume>.being-filled  only while that one is being filled from a backup

A volume of a member's own has `<pool>/volume.<its id>/` with data.qcow2 (data-<n>.qcow2 once it was
restored n times), and a snapshot `<pool>/snapshot.<its id>/`; no server's id holds a dot.

So looking at one server costs the same in a pool of ten and of ten thousand, and whichever host
runs the server finds all of it. The volume is a full copy of the image and refers to nothing else: no
base file whose loss would take many tenants' disks with it, and a tenant can leave with it as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import re
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import libvirt

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.libvirt.errors import is_code, is_unreadable, translate
from control_plane.drivers.libvirt.transfer import file_xml, make_file, read_file
from control_plane.drivers.protocol import DiskLocked, DriverError, MovedOn, StorageUnavailable
from control_plane.model.ids import ServerId

STORAGE_MARK = "yui-pool"
"""The directory that marks a storage pool's own directory, made once when the pool is made. Where it
is missing the storage is not mounted, and nothing is written into the empty mount point."""

_DISK = re.compile(r"(root|data)(-[0-9]+)?\.qcow2")
SEED = "seed.iso"
CONSOLE = "console.log"
BEING_MADE = "being-made"


def server_folder(server: ServerId, volume: VolumeSpec) -> str:
    return posixpath.join(volume.pool_path, server)


def root_name(volume: VolumeSpec) -> str:
    return f"root-{volume.build}.qcow2" if volume.build else "root.qcow2"


def root_path(server: ServerId, volume: VolumeSpec) -> str:
    return posixpath.join(server_folder(server, volume), root_name(volume))


def require_storage(connection: libvirt.virConnect, host: str, pool_path: str) -> None:
    """Raises StorageUnavailable unless the host has the pool's storage mounted."""
    try:
        open_folder(connection, posixpath.join(pool_path, STORAGE_MARK))
    except libvirt.libvirtError as error:
        if not connection.isAlive():
            raise
        raise StorageUnavailable(
            f"Host {host} sees no storage pool in {pool_path}: mount it there, or make the directory {STORAGE_MARK} in a new pool"
        ) from error


def open_folder(
    connection: libvirt.virConnect, path: str, *, make: bool = False
) -> libvirt.virStoragePool:
    """The folder with what is in it now. Raises libvirtError where it isn't there."""
    known = known_folder(connection, path)
    if known is not None:
        try:
            # libvirt lists what it saw last; other hosts write here too.
            known.refresh(0)
            return known
        except libvirt.libvirtError:
            # A folder that is gone is dropped by libvirt; any other reason stands.
            if known_folder(connection, path) is not None:
                raise
    flags = libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD if make else 0
    try:
        return connection.storagePoolCreateXML(_pool_xml(path), flags)
    except libvirt.libvirtError:
        # Perhaps another thread was faster.
        known = known_folder(connection, path)
        if known is None:
            raise
        return known


def known_folder(connection: libvirt.virConnect, path: str) -> libvirt.virStoragePool | None:
    """The folder as libvirt last saw it; None where it has not been opened."""
    try:
        return connection.storagePoolLookupByName(_pool_name(path))
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_POOL):
            return None
        raise


def close_folder(connection: libvirt.virConnect, path: str) -> None:
    """Let this host's libvirt forget the folder; nothing in it is touched."""
    with contextlib.suppress(libvirt.libvirtError):
        connection.storagePoolLookupByName(_pool_name(path)).destroy()


def remove_folder(connection: libvirt.virConnect, path: str) -> None:
    """Remove the folder itself if it is empty."""
    close_folder(connection, path)
    with contextlib.suppress(libvirt.libvirtError):
        pool = connection.storagePoolDefineXML(_pool_xml(path), 0)
        try:
            pool.delete(0)
        finally:
            pool.undefine()


def find(folder: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol | None:
    try:
        return folder.storageVolLookupByName(name)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            return None
        raise


def making_mark(name: str) -> str:
    """Each build has its own, so that who makes one that is no longer wanted makes no other look unfinished, or
    finished."""
    return f"{name}.{BEING_MADE}"


def _making_marks(folder: libvirt.virStoragePool, name: str) -> list[libvirt.virStorageVol]:
    """The one without a name is of before, when a folder had one mark for all."""
    marks = (find(folder, mark) for mark in (making_mark(name), BEING_MADE))
    return [mark for mark in marks if mark is not None]


def filling_mark(name: str) -> str:
    """Stands beside a disk that is being filled from elsewhere; other builds are whole meanwhile."""
    return f"{name}.being-filled"


def whole_root(folder: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol | None:
    if _making_marks(folder, name) or find(folder, filling_mark(name)) is not None:
        return None
    return find(folder, name)


def grow_root(folder: libvirt.virStoragePool, name: str, size_bytes: int) -> None:
    """Grow the volume of a server that does not run; one that is large enough is left alone. Raises
    libvirtError, also where a running server has it open."""
    root = find(folder, name)
    if root is not None and root.info()[1] < size_bytes:
        root.resize(size_bytes, 0)


def _build(name: str) -> int:
    matched = _DISK.fullmatch(name)
    return -int(matched[2]) if matched and matched[2] else 0


def require_latest(host: str, folder: libvirt.virStoragePool, name: str) -> None:
    """Raises MovedOn where a later build is there whole: builds only ever follow one another, so somebody has
    decided anew since this one was wanted."""
    for root in _roots(folder):
        if _build(root.name()) > _build(name) and whole_root(folder, root.name()) is not None:
            raise MovedOn(f"Host {host}: {root.name()} has taken the place of {name}")


def require_others_unused(host: str, folder: libvirt.virStoragePool, name: str) -> None:
    """Raises DiskLocked while what `name` is to take the place of is in use."""
    for root in _roots(folder):
        if root.name() != name:
            require_unused(host, root)


def remove_earlier_roots(host: str, folder: libvirt.virStoragePool, name: str) -> None:
    """Remove what `name` takes the place of, and nothing that may have taken its own meanwhile. Raises DiskLocked
    while that is in use."""
    for root in _roots(folder):
        if _build(root.name()) < _build(name):
            require_unused(host, root)
            root.delete(0)


def _roots(folder: libvirt.virStoragePool) -> list[libvirt.virStorageVol]:
    return [found for found in folder.listAllVolumes(0) if _DISK.fullmatch(found.name())]


def make_root(
    host: str,
    folder: libvirt.virStoragePool,
    image: libvirt.virStorageVol | None,
    name: str,
    size_bytes: int,
) -> None:
    """Make the volume `name` as a full copy of `image` grown to `size_bytes`, or empty; one that is
    whole is left as it is, whatever it holds. Raises libvirtError, leaving nothing behind, and DiskLocked
    where somebody else is making it at this moment."""
    if whole_root(folder, name) is not None:
        return
    if find(folder, filling_mark(name)) is not None:
        raise DiskLocked(f"Host {host}: {name} is being filled from elsewhere")
    root = find(folder, name)
    marks = _making_marks(folder, name)
    if root is not None:
        # Its maker died, unless it still holds the file open.
        require_unused(host, root)
        root.delete(0)
    if not marks:
        marks = [folder.createXML(file_xml(making_mark(name), "raw", 0), 0)]
    try:
        described = file_xml(name, "qcow2", size_bytes)
        if image is None:
            root = folder.createXML(described, 0)
        else:
            root = folder.createXMLFrom(described, image, 0)
        # Also flushes what the copy has left in the host's page cache.
        root.resize(size_bytes, 0)
    except libvirt.libvirtError:
        with contextlib.suppress(libvirt.libvirtError, DiskLocked):
            _clear_away(host, folder, name)
        raise
    for mark in marks:
        mark.delete(0)


def _clear_away(host: str, folder: libvirt.virStoragePool, name: str) -> None:
    """Remove what is unfinished, and only that: another maker may have finished meanwhile."""
    folder.refresh(0)
    marks = _making_marks(folder, name)
    if not marks:
        return
    root = find(folder, name)
    if root is not None:
        require_unused(host, root)
        root.delete(0)
    for mark in marks:
        mark.delete(0)


def require_unused(host: str, root: libvirt.virStorageVol) -> None:
    """Raises DiskLocked while any machine, here or elsewhere, has the volume open for writing.

    To resize a volume QEMU takes its write lock, and to the size it has changes nothing; only a
    volume whose file outgrew its capacity grows by the difference, and that one is to be removed. One
    that QEMU can't even open, such as half of a copy, is nobody's disk, and no more is an empty file."""
    _, capacity, allocation = root.info()
    if not capacity:
        return
    try:
        root.resize(max(capacity, allocation), 0)
    except libvirt.libvirtError as error:
        translated = translate(host, error)
        if isinstance(translated, DiskLocked):
            raise translated from error
        if not is_unreadable(error):
            raise


def replace_file(
    connection: libvirt.virConnect, folder: libvirt.virStoragePool, name: str, content: bytes
) -> None:
    """Have a file with exactly `content`; one that has it already is left alone."""
    existing = find(folder, name)
    if existing is not None:
        if b"".join(read_file(connection, existing)) == content:
            return
        existing.delete(0)
    make_file(connection, folder, name, len(content), [content])


def remove_files(host: str, folder: libvirt.virStoragePool) -> None:
    """Remove everything of a server, its root volume first. Raises DiskLocked while that is in use."""
    for root in _roots(folder):
        require_unused(host, root)
        root.delete(0)
    for volume in folder.listAllVolumes(0):
        volume.delete(0)


def tail(
    connection: libvirt.virConnect, folder: libvirt.virStoragePool, name: str, length: int
) -> bytes:
    """The last `length` bytes of a log that is turned over to `<name>.0` when it is full."""
    collected = b""
    for part in (name, f"{name}.0"):
        missing = length - len(collected)
        volume = find(folder, part)
        if volume is None or missing <= 0:
            break
        size = volume.info()[1]
        chunks = b"".join(read_file(connection, volume, max(0, size - missing)))
        collected = chunks[-missing:] + collected
    return collected


def leans(volume: libvirt.virStorageVol) -> bool:
    """Whether the file says that what it lacks is to be had elsewhere."""
    description = fromstring(volume.XMLDesc(0))  # noqa: S314 — made by our own host's libvirt
    return description.find("backingStore") is not None


def format_of(volume: libvirt.virStorageVol) -> str:
    """The format that the host detects. Raises DriverError for a file that leans on another one."""
    description = fromstring(volume.XMLDesc(0))  # noqa: S314 — made by our own host's libvirt
    if leans(volume):
        raise DriverError(f"The image {volume.name()} refers to another file, so it is not whole")
    format = description.find("target/format")
    return "raw" if format is None else format.get("type", "raw")


def _pool_name(path: str) -> str:
    return f"yui-{hashlib.sha256(path.encode()).hexdigest()[:24]}"


def _pool_xml(path: str) -> str:
    pool = Element("pool", type="dir")
    SubElement(pool, "name").text = _pool_name(path)
    target = SubElement(pool, "target")
    SubElement(target, "path").text = path
    permissions = SubElement(target, "permissions")
    # QEMU may run as a user of its own, which must be able to pass through.
    SubElement(permissions, "mode").text = "0711"
    return tostring(pool, encoding="unicode")

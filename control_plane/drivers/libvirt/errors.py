"""Turns libvirt's errors into the driver protocol's.

libvirt's own refusals have codes, and failed system calls their errno. What QEMU said arrives only as
text inside an "internal error"; libvirt runs QEMU in the C locale, so these few texts are the same on
every host, whatever its language.
"""

from __future__ import annotations

import errno
import os

import libvirt

from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    NetworkNotReady,
    NoSuchServer,
    StorageFull,
    StorageUnavailable,
)

_LOCKED = ('Failed to get "write" lock', 'Failed to get shared "write" lock', "Failed to lock byte")
_LEANS = "Could not open backing file"
_NO_BRIDGE = ("Cannot get interface MTU on", "Unable to add bridge")
_NOT_THERE = frozenset({errno.ENODEV})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_STORAGE_GONE = frozenset(
    {errno.ENOENT, errno.EIO, errno.ESTALE, errno.EROFS, errno.ENOTCONN, errno.ENOTDIR}
)
_STORAGE_CODES = frozenset({libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_STORAGE_VOL})
_LONGEST = 400


def sentence(error: libvirt.libvirtError) -> str:
    """What libvirt said, on one line and cut to a readable length."""
    return " ".join(str(error.get_error_message() or error).split())[:_LONGEST]


def translate(host: str, error: libvirt.libvirtError) -> DriverError:
    """The protocol's error for what a host that still answers refused."""
    said = sentence(error)
    code = error.get_error_code()
    text = f"Host {host}: {said}"
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return NoSuchServer(text)
    if code == libvirt.VIR_ERR_RESOURCE_BUSY or any(words in said for words in _LOCKED):
        return DiskLocked(f"Host {host} found the disk locked: another machine may be writing it")
    if any(words in said for words in _NO_BRIDGE) and _failed_with(error, _NOT_THERE):
        return network_not_ready(host)
    if _failed_with(error, _FULL):
        return StorageFull(f"Host {host} found no room left on the storage")
    if code in _STORAGE_CODES or _failed_with(error, _STORAGE_GONE):
        return StorageUnavailable(text)
    return DriverError(text)


def network_not_ready(host: str) -> NetworkNotReady:
    return NetworkNotReady(
        f"Host {host} has not yet made the network that the server is plugged into"
    )


def is_code(error: libvirt.libvirtError, *codes: int) -> bool:
    return error.get_error_code() in codes


def is_unreadable(error: libvirt.libvirtError) -> bool:
    """True where QEMU found that a file is no image of its format, or that what it leans on is out of reach, and
    nothing else stood in the way."""
    said = sentence(error)
    if _LEANS in said:
        # It asks for what a file leans on only once it has the file's own lock.
        return True
    stands_in_the_way = any(words in said for words in _LOCKED) or _failed_with(
        error, _FULL | _STORAGE_GONE | {errno.EACCES, errno.EPERM}
    )
    return "Could not open" in said and not stands_in_the_way


def _failed_with(error: libvirt.libvirtError, numbers: frozenset[int]) -> bool:
    """True where one of these errnos was the cause, as libvirt's number or in QEMU's words."""
    if is_code(error, libvirt.VIR_ERR_SYSTEM_ERROR):
        return error.get_int1() in numbers
    said = sentence(error)
    return any(os.strerror(number) in said for number in numbers)

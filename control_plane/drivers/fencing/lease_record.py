"""The lease as the host agent writes it (deploy/host_agent): one block of text on shared storage.

The block begins with the line `yui-lease-1 <CRC-32 of the JSON, 8 hex digits> <JSON object>`.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import stat
import zlib
from dataclasses import dataclass

from control_plane.model.ids import HostId
from control_plane.model.units import Seconds

BLOCK = 4096
_MAGIC = "yui-lease-1"
_LONGEST = Seconds(3600.0)


class LeaseMalformed(Exception):
    """One sentence about what is in the file."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """One renewal. `boot_id` differs after every boot of the host and `agent` after every start of
    its agent; `sequence` grows with every renewal of one agent, so no two renewals are equal.

    `ttl` bounds how long a renewal may take, `watchdog` is how long after its last pet the watchdog
    resets the host, never more than `ttl`. While `armed` is False no watchdog stands behind the lease.
    `interval` is how often the agent means to renew it, where it says so; nothing is proved by it."""

    host: HostId
    boot_id: str
    agent: str
    sequence: int
    ttl: Seconds
    watchdog: Seconds
    armed: bool
    interval: Seconds | None = None


def decode(block: bytes) -> LeaseRecord:
    """Raises LeaseMalformed for anything but a whole, sensible record."""
    try:
        magic, checksum, text = block.partition(b"\n")[0].decode().split(" ", 2)
        whole = magic == _MAGIC and int(checksum, 16) == zlib.crc32(text.encode())
        fields = json.loads(text) if whole else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise LeaseMalformed("it holds no whole lease")
    try:
        record = LeaseRecord(
            host=HostId(_text(fields["host"])),
            boot_id=_text(fields["boot"]),
            agent=_text(fields["agent"]),
            sequence=_whole(fields["sequence"]),
            ttl=_duration(fields["ttl"]),
            watchdog=_duration(fields["watchdog"]),
            armed=fields["armed"] is True,
            interval=_duration(fields["interval"]) if "interval" in fields else None,
        )
    except (KeyError, TypeError, ValueError):
        raise LeaseMalformed("its lease lacks a field, or one has no sense") from None
    if record.watchdog > record.ttl:
        raise LeaseMalformed("its lease promises less time than its watchdog takes")
    return record


def read_block(path: str) -> bytes:
    """The first block of a regular file, asked of the storage itself where its file system can be
    read past the caches (O_DIRECT). May hang with its storage. Raises OSError."""
    try:
        return _read_block(path, os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _read_block(path, 0)


def _read_block(path: str, flags: int) -> bytes:
    # A pipe in the file's place must not keep the reader waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a file")
        # Memory from mmap begins on a page, as O_DIRECT asks.
        with mmap.mmap(-1, BLOCK) as page:
            length = os.preadv(descriptor, [page], 0)
            return page[:length]
    finally:
        os.close(descriptor)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise TypeError
    return value


def _duration(value: object) -> Seconds:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    if not (math.isfinite(value) and 0 < value <= _LONGEST):
        raise ValueError
    return Seconds(float(value))

"""What a simulated disk is outside of the simulation: a small qcow2 file that real tools can read.

Layout as in QEMU's docs/interop/qcow2.txt, version 3, clusters of 64 KiB: the header, one refcount
table with one block, the first-level table, one second-level table, and the disk's first bytes.
"""

from __future__ import annotations

from struct import pack

_CLUSTER = 64 * 1024
_SECTOR = 512
_PER_SECOND_LEVEL = _CLUSTER // 8
_COPIED = 1 << 63
_FIRST_DATA = 5


def qcow2_of(virtual_size: int, content: bytes) -> bytes:
    """A disk of that many bytes that begins with `content` (at most 512 MiB) and is empty behind it."""
    clusters = max(1, -(-len(content) // _CLUSTER))
    if clusters > _PER_SECOND_LEVEL:
        raise ValueError("more content than one second-level table reaches")
    first_level = -(-virtual_size // (_CLUSTER * _PER_SECOND_LEVEL))
    header = pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb",
        3,
        0,
        0,
        16,
        virtual_size,
        0,
        first_level,
        3 * _CLUSTER,
        _CLUSTER,
        1,
        0,
        0,
        0,
        0,
        0,
        4,
        104,
    )
    second_level = b"".join(
        pack(">Q", (_FIRST_DATA + number) * _CLUSTER | _COPIED) for number in range(clusters)
    )
    parts = (
        header,
        pack(">Q", 2 * _CLUSTER),
        pack(">H", 1) * (_FIRST_DATA + clusters),
        pack(">Q", 4 * _CLUSTER | _COPIED),
        second_level,
        content.ljust(clusters * _CLUSTER, b"\0"),
    )
    return b"".join(part.ljust(_CLUSTER, b"\0") for part in parts)


def boot_sector(virtual_size: int) -> bytes:
    """What a disk begins with that a BIOS starts from: some code, and one active partition (MBR)."""
    first = 2048
    sectors = min(virtual_size // _SECTOR - first, 2**32 - 1)
    entry = pack("<B3sB3sII", 0x80, b"\0" * 3, 0x83, b"\0" * 3, first, sectors)
    code = b"\xeb\xfe".ljust(446, b"\0")
    return (code + entry).ljust(_SECTOR - 2, b"\0") + b"\x55\xaa"

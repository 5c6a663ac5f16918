"""Lists the files of an initramfs: one or more cpio archives, of which the last may be compressed.

The kernel's own description of the format is Documentation/driver-api/early-userspace/buffer-format.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from images.programs import bounded, run

_UNPACKERS = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x02\x21\x4c\x18": "lz4",
    b"BZh": "bzip2",
}
_HEADER_BYTES = 110
_MAX_NAME = 4096
_MAX_ENTRIES = 200_000
_MAX_UNPACKED_BYTES = 1024**3
_MEMORY_BYTES = 512 * 1024**2


def names_in_initramfs(archive: Path) -> frozenset[str] | None:
    """The names of its files; None where it is not one, or is packed in a way that can't be
    undone here. What is unpacked lies beside it."""
    names: set[str] = set()
    with archive.open("rb") as file:
        while True:
            start = _skip_zeros(file)
            magic = file.read(6)
            file.seek(start)
            if not magic:
                return frozenset(names) if names else None
            if magic in {b"070701", b"070702"}:
                try:
                    names.update(_names_in_cpio(file))
                except ValueError:
                    return None
                continue
            inner = _unpacked(archive, start, magic)
            found = None if inner is None else names_in_initramfs(inner)
            return None if found is None else found | names


def _skip_zeros(file: BinaryIO) -> int:
    while True:
        place = file.tell()
        block = file.read(65536)
        rest = block.lstrip(b"\0")
        if rest or not block:
            file.seek(place + len(block) - len(rest))
            return file.tell()


def _names_in_cpio(file: BinaryIO) -> Iterator[str]:
    """Up to the archive's trailer. Raises ValueError on what is no cpio in the `newc` format."""
    for _ in range(_MAX_ENTRIES):
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or header[:6] not in {b"070701", b"070702"}:
            raise ValueError("no header")
        size, name_bytes = int(header[54:62], 16), int(header[94:102], 16)
        if not 0 < name_bytes <= _MAX_NAME:
            raise ValueError("no name")
        name = file.read(name_bytes)[:-1].decode("utf-8", errors="replace")
        file.seek(-(_HEADER_BYTES + name_bytes) % 4, 1)
        file.seek(size + -size % 4, 1)
        if name == "TRAILER!!!":
            return
        yield name
    raise ValueError("too many files")


def _unpacked(archive: Path, start: int, magic: bytes) -> Path | None:
    program = next((p for begin, p in _UNPACKERS.items() if magic.startswith(begin)), None)
    if program is None or shutil.which(program) is None or archive.suffix == ".unpacked":
        return None
    packed, inner = archive.with_suffix(".packed"), archive.with_suffix(".unpacked")
    with archive.open("rb") as whole, packed.open("wb") as rest:
        whole.seek(start)
        shutil.copyfileobj(whole, rest)
    try:
        run(
            bounded(
                [program, "-dc"],
                cpu=Seconds(60),
                memory_bytes=_MEMORY_BYTES,
                file_bytes=_MAX_UNPACKED_BYTES,
            ),
            limit=Seconds(120),
            stdin=packed,
            into=inner,
        )
    except YuiError:
        # An unpacker also fails on what is padded behind its end, when all is there already.
        return inner if inner.stat().st_size else None
    return inner

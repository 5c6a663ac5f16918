"""Where each file of a volume lies in the volume's tar, so that what stays the same fills the same chunks.

A file of a chunk or more begins on a chunk's boundary. Smaller ones lie close together, in runs of some
dozens, and a run begins on a boundary: which file begins one depends on its name alone. So a file that
grows, comes or goes moves what is behind it by whole chunks, and what is stored anew is about what changed.

Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backup.containers.tar_headers import BLOCK, END, headers
from control_plane.drivers.container_volumes import FileEntry, FileKind

ALIGN = 65536
"""The repository's usual size of chunks."""
_RUN = 32
"""How many small files make a run, on average."""


@dataclass(frozen=True, slots=True)
class Placed:
    """`headers` stand at `at`, the file's bytes at `data_at`."""

    entry: FileEntry
    at: int
    headers: bytes

    @property
    def data_at(self) -> int:
        return self.at + len(self.headers)

    @property
    def end(self) -> int:
        return self.data_at + -(-data_bytes(self.entry) // BLOCK) * BLOCK


def data_bytes(entry: FileEntry) -> int:
    return entry.size if entry.kind is FileKind.FILE else 0


def placed(entries: Iterable[FileEntry], align: int = ALIGN) -> Iterator[Placed]:
    """In their order, which has to be the same each time."""
    at = 0
    for entry in entries:
        wanted = align if _begins_anew(entry, align) else None
        one = Placed(entry, at, headers(entry, at, wanted))
        yield one
        at = one.end


def tar_bytes(last_end: int) -> int:
    """How long the tar is whose last file ends there."""
    return last_end + len(END)


def _begins_anew(entry: FileEntry, align: int) -> bool:
    size = data_bytes(entry)
    return size >= align or (size > 0 and zlib.crc32(entry.path) % _RUN == 0)

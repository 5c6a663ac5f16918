"""Reads parts of a disk out of an image, without starting or mounting anything.

qemu-img unpacks qcow2 in a process of its own, bounded in time, memory and output. A raw image is
read as it lies.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.image import ImageFormat
from control_plane.model.units import Seconds
from images.programs import bounded, run

_MEMORY_BYTES = 1024**3
_SPARE_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class Slice:
    """`length` bytes of `file` from `offset` on."""

    file: Path
    offset: int
    length: int

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes, fewer at the end."""
        with self.file.open("rb") as file:
            file.seek(self.offset + offset)
            return file.read(min(length, max(0, self.length - offset)))


@dataclass(frozen=True, slots=True)
class DiskReader:
    """`scratch` is a directory for what is unpacked; whoever made it removes it."""

    path: Path
    format: ImageFormat
    scratch: Path

    def slice(self, offset: int, length: int) -> Slice:
        """That part of the disk. Raises YuiError "program-failed" where the image can't be read, and
        "image-disk-full" where `scratch` has no room for all of it."""
        if self.format is ImageFormat.RAW:
            return Slice(self._named_harmlessly(), offset, length)
        if shutil.disk_usage(self.scratch).free < length + _SPARE_BYTES:
            raise YuiError(
                "image-disk-full",
                en=f"There is no room here to look into {self.path.name}: {length >> 20} MiB are needed.",
                ja=f"{self.path.name} の中を調べるための空き({length >> 20} MiB)がありません。",
                status=507,
            )
        unpacked = self.scratch / f"{offset}-{length}.raw"
        part = {
            "driver": "raw",
            "offset": offset,
            "size": length,
            "file": {
                "driver": "qcow2",
                # Said again, should the file have changed since it was found to name no other.
                "backing": None,
                "file": {"driver": "file", "filename": str(self.path.absolute())},
            },
        }
        run(
            bounded(
                ["qemu-img", "convert", "-O", "raw", f"json:{json.dumps(part)}", str(unpacked)],
                cpu=Seconds(120),
                memory_bytes=_MEMORY_BYTES,
                file_bytes=length,
            ),
            limit=Seconds(300),
        )
        return Slice(unpacked, 0, length)

    def _named_harmlessly(self) -> Path:
        """Programs give a meaning to some characters of a file's name; the link's has none."""
        link = self.scratch / "disk"
        if not link.is_symlink():
            link.symlink_to(self.path.absolute())
        return link

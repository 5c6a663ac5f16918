"""Packs a directory into an initramfs: equal inputs give equal bytes, and no root is needed."""

from __future__ import annotations

import os
from pathlib import Path

from control_plane.model.units import Seconds
from images.programs import require, run

PROGRAMS = {"cpio": "cpio"}


def pack(root: Path, epoch: int) -> bytes:
    """The directory as a cpio archive in the kernel's `newc` format, owned by root, every time set
    to `epoch` (seconds since 1970), in sorted order. It also sets those times on `root` itself.

    /dev/console need not be in it: the kernel's own built-in archive brings that."""
    require(PROGRAMS)
    paths = sorted(path.relative_to(root) for path in root.rglob("*"))
    for path in [*paths, Path()]:
        os.utime(root / path, (epoch, epoch), follow_symlinks=False)
    names = "".join(f"{path}\0" for path in paths).encode()
    return run(
        ["cpio", "--create", "--format=newc", "--null", "--quiet", "--reproducible", "--owner=0:0"],
        limit=Seconds(120),
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=names,
    )

"""What a folder truly holds, to compare two of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

Tree = dict[bytes, tuple[object, ...]]


def tree_of(folder: Path) -> Tree:
    """By path: kind and mode, owner, group, time, how many names it has, attributes, and what is in it."""
    top = os.fsencode(folder)
    found: Tree = {}
    for above, directories, files in os.walk(top):
        for name in [b".", *directories, *files]:
            path = os.path.join(above, name)
            told = os.lstat(path)
            content: object = b""
            if stat.S_ISREG(told.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            elif stat.S_ISLNK(told.st_mode):
                content = os.readlink(path)
            keys = sorted(os.listxattr(path, follow_symlinks=False))
            found[os.path.relpath(path, top)] = (
                told.st_mode,
                told.st_uid,
                told.st_gid,
                told.st_mtime_ns,
                told.st_nlink if stat.S_ISREG(told.st_mode) else 1,
                tuple((key, os.getxattr(path, key, follow_symlinks=False)) for key in keys),
                content,
            )
    return found

"""Lists a tree of files by key, holding no more names than its deepest folders have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from control_plane.drivers.objects import is_key


def objects_below(folder: Path, prefix: str, after: str) -> Iterator[tuple[str, os.stat_result]]:
    """Files of `folder` whose keys begin with `prefix` and sort after `after`, in the order of their
    keys' bytes; nothing that could not be an object. Folders that hold none of them stay unread."""
    # Straight to the folder that the prefix names, whatever lies beside it.
    start = prefix.rpartition("/")[0]
    if any(part in {"", ".", ".."} for part in start.split("/")) and start:
        return
    yield from _below(folder / start, f"{start}/" if start else "", prefix, after)


def _below(folder: Path, at: str, prefix: str, after: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            # A folder sorts as what is in it does: `a.b` comes before `a/b`.
            keys = sorted(
                f"{at}{entry.name}/" if entry.is_dir() else f"{at}{entry.name}"
                for entry in entries
                if not entry.name.startswith(".")
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for key in keys:
        if key.endswith("/"):
            wanted = key.startswith(prefix) or prefix.startswith(key)
            if wanted and (key > after or after.startswith(key)):
                yield from _below(folder / key[len(at) : -1], key, prefix, after)
        elif key > after and key.startswith(prefix) and is_key(key):
            try:
                found = (folder / key[len(at) :]).stat()
            except FileNotFoundError:
                continue
            yield key, found

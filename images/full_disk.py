"""Tells that a disk is full where programs, each in its own words, say only that they failed."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_plane.model.errors import YuiError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOTHING_LEFT = 1024 * 1024
"""Bytes free on a disk on which a write has just failed."""


@contextmanager
def told_if_full(*folders: Path) -> Iterator[None]:
    """Turns a failure inside into "image-disk-full" where the disk of one of the folders, to all of
    which something is being written, is to blame for it."""
    try:
        yield
    except (OSError, YuiError) as failed:
        full = next((folder for folder in folders if _is_full(folder)), None)
        if isinstance(failed, OSError) and failed.errno in _FULL:
            full = full or folders[0]
        if full is None:
            raise
        raise YuiError(
            "image-disk-full",
            en=f"The disk that holds {full} is full, so no image was made: free some room and try again.",
            ja=f"{full} のディスクに空きがないため、イメージを作成できませんでした。空きを作ってからもう一度実行してください。",
            status=507,
            fields={"folder": str(full)},
        ) from failed


def _is_full(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free < _NOTHING_LEFT

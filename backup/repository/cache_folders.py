"""Folders of this machine for what can be made again at any time, and what is left there by processes
that were killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "yui-index-"


def private_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes with its owner. Those of killed processes of the same user go now."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        if _is_dead(path.name.removeprefix(_PREFIX).split("-")[0]):
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == os.getuid():
                    shutil.rmtree(path)
    return tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")


def unfinished_prefix() -> str:
    """Of a file's name, while it is being written."""
    return f".{os.getpid()}."


def remove_unfinished(folder: Path) -> None:
    """What killed processes have left half written in a cache."""
    for path in folder.glob(".*.*"):
        if _is_dead(path.name.split(".")[1]):
            with contextlib.suppress(OSError):
                path.unlink()


def _is_dead(process: str) -> bool:
    return process.isdigit() and not Path("/proc", process).exists()

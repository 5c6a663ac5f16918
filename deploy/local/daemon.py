"""Starts a program that outlives its starter, and stops that very program again, by its pid.

A pid alone may belong to somebody else by the time it is used, so the moment at which the kernel
started the process is written down beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from control_plane.model.units import Seconds

_START_TIME_FIELD = 22
"""Of /proc/PID/stat, in clock ticks since boot; proc(5)."""


def start(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run `command` in the background; its output goes to `folder`/NAME.log, its identity to
    `folder`/NAME.pid."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    identity = {"pid": process.pid, "started": _started(process.pid)}
    (folder / f"{name}.pid").write_text(json.dumps(identity))


def is_running(name: str, folder: Path) -> bool:
    return _pid(name, folder) is not None


def last_words(name: str, folder: Path) -> str:
    """The end of its log, for an error message."""
    log = folder / f"{name}.log"
    return log.read_text(errors="replace")[-600:].strip() if log.exists() else ""


def stop(name: str, folder: Path, patience: Seconds = Seconds(15.0)) -> None:
    """End it and wait until it is gone, by force after `patience`; success where it isn't there."""
    deadline = time.monotonic() + patience
    sent = signal.SIGTERM
    while (pid := _pid(name, folder)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sent)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            sent = signal.SIGKILL
        time.sleep(0.05)
    (folder / f"{name}.pid").unlink(missing_ok=True)


def _pid(name: str, folder: Path) -> int | None:
    try:
        identity = json.loads((folder / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return None
    pid = int(identity["pid"])
    return pid if identity["started"] is not None and _started(pid) == identity["started"] else None


def _started(pid: int) -> int | None:
    """None where there is no such process, or only its corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The program's name, in parentheses, may hold anything.
    fields = stat[stat.rindex(")") + 1 :].split()
    return None if fields[0] == "Z" else int(fields[_START_TIME_FIELD - 3])

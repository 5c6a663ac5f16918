"""Finds and ends the processes of one host: those inside its network namespace, and no other."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from control_plane.model.units import Seconds

NAMESPACE_FOLDER = Path("/run/netns")


def identity(namespace: str) -> int | None:
    """The inode that names a network namespace to the kernel; None where there is none."""
    try:
        return (NAMESPACE_FOLDER / namespace).stat().st_ino
    except FileNotFoundError:
        return None


def members(inode: int) -> Iterator[int]:
    """Ids of the processes inside the network namespace."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_member(int(entry.name), inode):
            yield int(entry.name)


def _is_member(pid: int, inode: int) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == inode
    except OSError:
        return False


def init_of(namespace: str) -> int | None:
    """The host's process 1, as this machine numbers it; None while the host is off."""
    inode = identity(namespace)
    if inode is None:
        return None
    for pid in members(inode):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("NSpid:"):
                numbers = line.split()[1:]
                if len(numbers) > 1 and numbers[-1] == "1":
                    return pid
    return None


def _kill(pid: int, inode: int) -> None:
    """Kill the process if it is still the one that was found: its number may have a new owner."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _is_member(pid, inode):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def kill_all(namespace: str, patience: Seconds = Seconds(20.0)) -> None:
    """Kill every process of the host at once and wait until none is left.

    Process 1 goes first: with it the kernel kills the whole host in one step, as a power cut would.
    Raises TimeoutError where a process does not die, such as one stuck in a file system."""
    inode = identity(namespace)
    if inode is None:
        return
    deadline = time.monotonic() + patience
    first = init_of(namespace)
    if first is not None:
        _kill(first, inode)
    while True:
        remaining = [pid for pid in members(inode) if not _is_zombie(pid)]
        if not remaining:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {remaining} of {namespace} do not end")
        for pid in remaining:
            _kill(pid, inode)
        time.sleep(0.01)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True

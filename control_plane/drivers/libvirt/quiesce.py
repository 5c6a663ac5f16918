"""Holds a guest's file systems still through its agent, and never for longer than a moment."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libvirt

from control_plane.drivers.libvirt import thaw_guard
from control_plane.model.units import Seconds

_AT_MOST = Seconds(20.0)
"""A guest that can't write for longer than that is a guest that hangs."""
_AGENT_ANSWERS_WITHIN = 15
_GUARD_STARTS_WITHIN = Seconds(10.0)
_CHECKOUT = Path(__file__).parents[3]


@dataclass
class Stillness:
    """`held`: the agent has frozen the file systems; only known for good once they are thawed."""

    held: bool = False


@contextmanager
def held_still(domain: libvirt.virDomain, uri: str) -> Iterator[Stillness]:
    """File systems written out and frozen, where the guest's agent answers. What an earlier reader froze
    and did not come to thaw is thawed first. Should this process die or hang, a second one thaws; where
    there can be no second one, nothing is frozen."""
    stillness = Stillness()
    if not _agent_listens(domain):
        yield stillness
        return
    guard = _guard(domain, uri)
    if guard is None:
        yield stillness
        return
    try:
        with contextlib.suppress(libvirt.libvirtError):
            stillness.held = domain.fsFreeze() > 0
        yield stillness
    finally:
        try:
            # None left to thaw: the guard was faster, and so the guest had been writing again.
            stillness.held = domain.fsThaw() > 0 and stillness.held
        except libvirt.libvirtError:
            # Left to the guard, which tries again.
            stillness.held = False
            _dismiss(guard, thawed=False)
        else:
            _dismiss(guard, thawed=True)


def thaw(domain: libvirt.virDomain) -> None:
    with contextlib.suppress(libvirt.libvirtError):
        domain.fsThaw()


def _agent_listens(domain: libvirt.virDomain) -> bool:
    try:
        domain.agentSetResponseTimeout(_AGENT_ANSWERS_WITHIN, 0)
        domain.fsThaw()
    except libvirt.libvirtError:
        return False
    return True


def _guard(domain: libvirt.virDomain, uri: str) -> subprocess.Popen[str] | None:
    command = [sys.executable, "-m", thaw_guard.__name__, uri, domain.name(), str(_AT_MOST)]
    guard = subprocess.Popen(  # noqa: S603 — our own module
        command,
        cwd=_CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    if guard.stdout is not None and guard.stdout.readline().strip() == thaw_guard.READY:
        return guard
    guard.kill()
    _dismiss(guard, thawed=False)
    return None


def _dismiss(guard: subprocess.Popen[str], *, thawed: bool) -> None:
    with contextlib.suppress(OSError):
        if thawed and guard.stdin is not None:
            guard.stdin.write(f"{thaw_guard.THAWED}\n")
    for pipe in (guard.stdin, guard.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        guard.wait(float(_GUARD_STARTS_WITHIN))

"""Runs what a guest's own people have put into its hooks folder, through its agent: see HostDriver.run_hook.

The agent hands over all that a program prints, up to 16 MiB, and libvirt gives the agent up at 10: so a
shell in the guest keeps the end of it only. The agent can't stop what it has begun either; that is another
few words of shell.
"""

from __future__ import annotations

import base64
import contextlib
import json
import posixpath
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import libvirt
import libvirt_qemu  # type: ignore[import-untyped]

from control_plane.drivers.guest import GuestHook, HookResult, last_line
from control_plane.drivers.libvirt import domains
from control_plane.drivers.libvirt.connection import SLOW, Connection
from control_plane.drivers.libvirt.errors import is_code, sentence
from control_plane.drivers.protocol import DriverError, RunState
from control_plane.model.backup.dumps import HOOKS_FOLDER, HookEnd
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RUN = """exec 4>&1
status=$( { { "$0" </dev/null 3>&- 4>&-; echo $? >&3; } 2>&1 | tail -c 4096 >&4; } 3>&1 )
exit "$status"
"""
"""The hook's exit status, and the end of what it printed."""
_STOP = r"""stop() {
    set -- "$1" $(sed -n "s/^\([0-9]*\) (.*) [A-Za-z] $1 .*/\1/p" /proc/[0-9]*/stat 2>/dev/null)
    kill "$1"
    shift
    for child; do stop "$child"; done
}
stop "$0"
"""
"""The program with that number, and whatever it has begun."""
_ANSWERS_WITHIN = 15
_FIRST_LOOK, _LATER_LOOKS = Seconds(0.1), Seconds(2.0)


class _Refused(Exception):
    """The agent answered, and did not do it."""


def run_hook(
    connection: Connection, server: ServerId, hook: GuestHook, wanted: Callable[[], bool]
) -> HookResult:
    if _NAME.fullmatch(hook.name) is None:
        raise DriverError(f"'{hook.name}' can't be the name of a hook")

    def begin(libvirtd: libvirt.virConnect) -> int | HookResult:
        domain = domains.get(libvirtd, connection.host, server)
        if domains.run_state(domain) is RunState.STOPPED:
            return HookResult(HookEnd.AT_REST)
        program = posixpath.join(HOOKS_FOLDER, hook.name)
        try:
            return _begin(domain, _RUN, program)
        except _Refused as refused:
            forbidden = any(word in str(refused) for word in ("disabled", "not been found"))
            end = HookEnd.FORBIDDEN if forbidden else HookEnd.FAILED
            return HookResult(end, said=last_line(str(refused).encode()))
        except libvirt.libvirtError as error:
            if _nobody_answers(error):
                return HookResult(HookEnd.NO_AGENT)
            raise

    begun_at = time.monotonic()
    begun = connection.call(begin, SLOW)
    if isinstance(begun, HookResult):
        return begun
    pause = _FIRST_LOOK
    while True:
        found = connection.call(lambda c: _look(c, connection.host, server, begun), SLOW)
        seconds = time.monotonic() - begun_at
        if found is not None:
            return HookResult(found.end, seconds, found.exit_status, found.said)
        given_up = HookEnd.TIMED_OUT if seconds > hook.timeout else HookEnd.STOPPED
        if given_up is HookEnd.TIMED_OUT or not wanted():
            connection.call(lambda c: _stop(c, server, begun), SLOW)
            return HookResult(given_up, seconds)
        time.sleep(min(pause, max(0.0, hook.timeout - seconds) + 0.01))
        pause = Seconds(min(pause * 2, _LATER_LOOKS))


def _begin(domain: libvirt.virDomain, script: str, argument: str) -> int:
    told = {"path": "/bin/sh", "arg": ["-c", script, argument], "capture-output": True}
    return int(_ask(domain, "guest-exec", told)["pid"])


def _look(libvirtd: libvirt.virConnect, host: str, server: ServerId, pid: int) -> HookResult | None:
    """None: it goes on, as far as anybody can tell."""
    domain = domains.get(libvirtd, host, server)
    if domains.run_state(domain) is RunState.STOPPED:
        return HookResult(HookEnd.FAILED, said="the server stopped meanwhile")
    try:
        status = _ask(domain, "guest-exec-status", {"pid": pid})
    except _Refused as refused:
        # The guest or its agent has begun anew.
        return HookResult(HookEnd.FAILED, said=last_line(str(refused).encode()))
    except libvirt.libvirtError as error:
        if _nobody_answers(error):
            # A guest that is busy with its dump may answer the next time.
            return None
        raise
    if not status.get("exited"):
        return None
    said = last_line(base64.b64decode(status.get("out-data", "")))
    exit_status = status.get("exitcode")
    return HookResult(
        HookEnd.DONE if exit_status == 0 else HookEnd.FAILED,
        exit_status=exit_status if isinstance(exit_status, int) else None,
        said=said,
    )


def _stop(libvirtd: libvirt.virConnect, server: ServerId, pid: int) -> None:
    domain = domains.find(libvirtd, server)
    with contextlib.suppress(libvirt.libvirtError, _Refused):
        if domain is not None:
            _begin(domain, _STOP, str(pid))


def _ask(domain: libvirt.virDomain, command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Raises _Refused, libvirtError."""
    text = json.dumps({"execute": command, "arguments": arguments})
    try:
        answer = libvirt_qemu.qemuAgentCommand(domain, text, _ANSWERS_WITHIN, 0)
    except libvirt.libvirtError as error:
        if "QEMU agent command" in sentence(error) and not _nobody_answers(error):
            raise _Refused(sentence(error)) from error
        raise
    found = json.loads(answer).get("return")
    return found if isinstance(found, dict) else {}


def _nobody_answers(error: libvirt.libvirtError) -> bool:
    unheard = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED)
    return is_code(error, *unheard) or "guest agent" in sentence(error).lower()

"""A process of its own that thaws a guest whose file systems were frozen by one that died over it.

    python -m control_plane.drivers.libvirt.thaw_guard URI SERVER SECONDS

It says `ready` once it could thaw. When its standard input ends without the word `thawed`, or SECONDS
later, it thaws.
"""

from __future__ import annotations

import contextlib
import select
import sys

import libvirt

from control_plane.drivers.libvirt import event_loop

READY = "ready"
THAWED = "thawed"
_AGENT_ANSWERS_WITHIN = 20
_TRIES = 5


def main(uri: str, server: str, patience: float) -> None:
    event_loop.ensure_running()
    connection = libvirt.open(uri)
    domain = connection.lookupByName(server)
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    told, _, _ = select.select([sys.stdin], [], [], patience)
    if told and sys.stdin.readline().strip() == THAWED:
        return
    for _ in range(_TRIES):
        with contextlib.suppress(libvirt.libvirtError):
            domain.agentSetResponseTimeout(_AGENT_ANSWERS_WITHIN, 0)
            domain.fsThaw()
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))

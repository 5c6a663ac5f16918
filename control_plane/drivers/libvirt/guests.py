"""The part of the libvirt driver that talks to guests themselves."""

from __future__ import annotations

from collections.abc import Callable

import libvirt

from control_plane.drivers.guest import GuestHook, HookResult, HttpProbe, ProbeResult
from control_plane.drivers.libvirt import domains, guest_hooks, lone_card, neighbour
from control_plane.drivers.libvirt.connection import QUICK, Connection
from control_plane.drivers.protocol import ProbeImpossible, RunState
from control_plane.model.health import Miss
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds


class LibvirtGuests:
    """Each method as in HostDriver."""

    _connection: Connection

    def run_hook(self, server: ServerId, hook: GuestHook, wanted: Callable[[], bool]) -> HookResult:
        return guest_hooks.run_hook(self._connection, server, hook, wanted)

    def probe(self, server: ServerId, probe: HttpProbe) -> ProbeResult:
        host = self._connection.host

        def ask(libvirtd: libvirt.virConnect) -> ProbeResult:
            domain = domains.get(libvirtd, host, server)
            if not lone_card.has_one(domain):
                raise ProbeImpossible(
                    f"Server {server} on host {host} is not isolated in a way in which it could be asked"
                )
            if domains.run_state(domain) is not RunState.RUNNING:
                return ProbeResult(None, miss=Miss.NOT_RUNNING)
            with lone_card.link(libvirtd, domain) as link:
                return neighbour.ask(link, probe)

        return self._connection.call(ask, Seconds(probe.timeout + QUICK))

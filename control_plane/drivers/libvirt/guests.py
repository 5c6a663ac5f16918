"""The part of the libvirt driver that talks to guests themselves."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.drivers.guest import GuestHook, HookResult
from control_plane.drivers.libvirt import guest_hooks
from control_plane.drivers.libvirt.connection import Connection
from control_plane.model.ids import ServerId


class LibvirtGuests:
    """Each method as in HostDriver."""

    _connection: Connection

    def run_hook(self, server: ServerId, hook: GuestHook, wanted: Callable[[], bool]) -> HookResult:
        return guest_hooks.run_hook(self._connection, server, hook, wanted)

"""Ends a reading before it could stop the guest for want of room.

What the guest overwrites while it is read is kept on the same storage, and a hypervisor that can't keep
it holds the guest. So a reading takes at most half of the room that was there, and a guest that was held
all the same goes on as soon as the reading has been ended.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import libvirt

from control_plane.drivers.libvirt import domains, reading_job, storage
from control_plane.drivers.libvirt.connection import Connection
from control_plane.drivers.protocol import (
    DriverError,
    HostUnreachable,
    RunState,
    StorageFull,
)
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds

_LEAST_ROOM = 128 * 2**20
_LOOK_EVERY = Seconds(2.0)


def require_room(libvirtd: libvirt.virConnect, host: str, folders: Sequence[str]) -> None:
    """Raises StorageFull."""
    room = min(_rooms(libvirtd, folders))
    if room < _LEAST_ROOM:
        raise StorageFull(
            f"Host {host} has {room // 2**20} MiB left on the storage, and needs {_LEAST_ROOM // 2**20} MiB for what the guest overwrites while it is read"
        )


def hold_no_more(domain: libvirt.virDomain) -> bool:
    """End our reading of a machine that is held because a write found no room, and let it go on; False
    where that is not so."""
    if list(domain.state()) != [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR]:
        return False
    if not reading_job.end(domain):
        return False
    domain.resume()
    return True


class Watch:
    """Looks every few seconds, in a thread of its own. `ended`: why it ended the reading."""

    def __init__(
        self, connection: Connection, server: ServerId, token: str, folders: Sequence[str]
    ) -> None:
        self.ended: StorageFull | None = None
        self._connection = connection
        self._server = server
        self._token = token
        self._folders = folders
        self._over = threading.Event()
        self._half: int | None = None
        self._thread = threading.Thread(target=self._look, name=f"watch-{server}", daemon=True)

    def start(self) -> None:
        self._half = self._connection.call(lambda c: min(_rooms(c, self._folders))) // 2
        self._thread.start()

    def stop(self) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(float(_LOOK_EVERY)):
            try:
                self._connection.call(self._look_once)
            except HostUnreachable:
                continue
            except DriverError:
                # It stopped or went away, which its reader will hear of.
                return

    def _look_once(self, libvirtd: libvirt.virConnect) -> None:
        domain = domains.find(libvirtd, self._server)
        if domain is None or domains.run_state(domain) is RunState.STOPPED:
            return
        if not reading_job.goes_on(domain, self._token):
            return
        full = StorageFull(
            f"The guest of server {self._server} overwrote more while its disks were read than their storage has room for, so the reading was ended"
        )
        room = min(_rooms(libvirtd, self._folders))
        if self._half is not None and room < self._half:
            self.ended = full
            if not hold_no_more(domain):
                reading_job.end(domain, self._token)
        elif hold_no_more(domain):
            self.ended = full


def _rooms(libvirtd: libvirt.virConnect, folders: Sequence[str]) -> list[int]:
    """Bytes left on the storage of each folder."""
    return [storage.open_folder(libvirtd, folder).info()[3] for folder in folders]

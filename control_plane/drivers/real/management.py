"""Hears hosts over the management network, by asking their hypervisors."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.drivers.fencing.bounded import BoundedCalls
from control_plane.drivers.protocol import DriverError, HostDriver, HostUnreachable
from control_plane.drivers.real.asking import Asking
from control_plane.drivers.real.driver_cache import NoDriver
from control_plane.drivers.real.own_network import OwnNetwork
from control_plane.drivers.real.settings import Settings
from control_plane.drivers.world import Clock, Sign
from control_plane.model.pool import Host


class ManagementChannel:
    """`driver` gives a host's driver; `answered` is told of every host that answered, after it did.

    A host that refuses what is asked of it has answered. One that does not answer in time is SILENT
    where this control plane's own network works, else UNKNOWN (see own_network)."""

    def __init__(
        self,
        clock: Clock,
        driver: Callable[[Host], HostDriver],
        settings: Settings,
        answered: Callable[[Host], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._answered = answered
        self._asking = Asking(settings.ask_patience, settings.ask_moment)
        # A host may be asked for its own sake and as another's peer at the same time.
        self._peer_asks = BoundedCalls("management-peer")
        self._peer_patience = settings.ask_patience
        self._network = OwnNetwork(
            clock, self._peer_answers, settings.witnesses, settings.ask_patience
        )

    @property
    def name(self) -> str:
        return "management-network"

    def listen(self, host: Host) -> Sign:
        began = self._clock.monotonic()
        try:
            driver = self._driver(host)
            heard = self._asking.answers(host.id, lambda: _is_there(driver))
        except NoDriver:
            return Sign.UNKNOWN
        if heard:
            self._network.heard(host)
            self._answered(host)
            return Sign.ALIVE
        return Sign.SILENT if self._network.works(host, began) else Sign.UNKNOWN

    def close(self) -> None:
        self._network.close()

    def _peer_answers(self, host: Host) -> bool:
        driver = self._driver(host)
        try:
            heard = self._peer_asks.call(host.id, lambda: _is_there(driver), self._peer_patience)
        except TimeoutError:
            return False
        if heard:
            self._network.heard(host)
        return heard


def _is_there(driver: HostDriver) -> bool:
    try:
        driver.list_servers()
    except (HostUnreachable, TimeoutError):
        return False
    except DriverError:
        return True
    return True

"""Hears hosts over the management network, by asking their hypervisors."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.drivers.fencing.bounded import BoundedCalls
from control_plane.drivers.protocol import DriverError, HostDriver, HostUnreachable
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
        self._patience = settings.ask_patience
        self._answered = answered
        self._asks = BoundedCalls("management")
        # A host may be asked for its own sake and as another's peer at the same time.
        self._peer_asks = BoundedCalls("management-peer")
        self._network = OwnNetwork(clock, self._peer_answers, settings.witnesses, self._patience)

    @property
    def name(self) -> str:
        return "management-network"

    def listen(self, host: Host) -> Sign:
        began = self._clock.monotonic()
        try:
            if self._answers(host, self._asks):
                return Sign.ALIVE
        except NoDriver:
            return Sign.UNKNOWN
        return Sign.SILENT if self._network.works(host, began) else Sign.UNKNOWN

    def close(self) -> None:
        self._network.close()

    def _peer_answers(self, host: Host) -> bool:
        return self._answers(host, self._peer_asks)

    def _answers(self, host: Host, asks: BoundedCalls) -> bool:
        driver = self._driver(host)
        try:
            asks.call(host.id, driver.list_servers, self._patience)
        except (HostUnreachable, TimeoutError):
            return False
        except DriverError:
            pass
        self._network.heard(host)
        self._answered(host)
        return True

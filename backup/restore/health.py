"""Whether a server that was restored is well, though no network reaches it: over HTTP, where its blueprint
says what it answers and its host can ask, else by what it prints on its console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from control_plane.drivers.guest import HttpProbe
from control_plane.drivers.protocol import DriverError, HostDriver, ProbeImpossible
from control_plane.drivers.world import World
from control_plane.model.health import Finding, HttpCheck, judged
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed, Seen, Server

_TAIL_BYTES = 64 * 1024
_ANSWERS_WITHIN = Seconds(5)
_NOT_STARTED = Finding("it has not been started yet", "まだ起動していません")
_NO_HOST = Finding("its host does not answer", "ホストが応答しません")
_NOTHING_SAID = Finding(
    "it had not said on its console that it was up", "起動完了をコンソールに示していません"
)


class HealthCheck(Protocol):
    def is_well(self, server: Server, console: str) -> bool:
        """`console` is the end of what it printed since it was restored. False: not yet."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleSays:
    """A guest prints one of these once it has come up: `login:` is what getty prints, the other what the
    tiny guest prints when it answers requests."""

    markers: tuple[str, ...] = ("login:", "HTTP answers on")

    def is_well(self, server: Server, console: str) -> bool:
        return server.seen is Seen.RUNNING and any(marker in console for marker in self.markers)


@dataclass(frozen=True, slots=True)
class Look:
    """At one server. `by` is http or console; `finding` None: it is well."""

    by: str
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class Looks:
    """`checks` by role. `had` are addresses that servers of a role have elsewhere: a guest may have kept what
    it had when its point was taken."""

    world: World
    hosts: Mapping[HostId, Host]
    console: HealthCheck
    checks: Mapping[str, HttpCheck] = field(default_factory=dict)
    had: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def at(self, server: Server) -> Look:
        check = self.checks.get(server.role)
        by = "console" if check is None else "http"
        if server.seen is not Seen.RUNNING or not isinstance(server.placement, Placed):
            return Look(by, _NOT_STARTED)
        driver = self.world.driver(self.hosts[server.placement.host])
        # What a host doesn't answer now it may answer the next time.
        try:
            if check is None:
                return self._by_console(driver, server)
            try:
                return self._by_http(driver, server, check)
            except ProbeImpossible:
                return self._by_console(driver, server)
        except DriverError:
            return Look(by, _NO_HOST)

    def _by_http(self, driver: HostDriver, server: Server, check: HttpCheck) -> Look:
        addresses = tuple(dict.fromkeys([server.address, *self.had.get(server.role, ())]))
        probe = HttpProbe(addresses, check.port, check.path, _ANSWERS_WITHIN)
        found = driver.probe(server.id, probe)
        return Look("http", judged(check, found.status, found.body, found.miss))

    def _by_console(self, driver: HostDriver, server: Server) -> Look:
        well = self.console.is_well(server, driver.console(server.id, _TAIL_BYTES))
        return Look("console", None if well else _NOTHING_SAID)

"""A new or returning host is emptied of what doesn't belong on it before it carries anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from control_plane.drivers.protocol import HostDriver, ObservedServer, RunState
from control_plane.model.ids import HostId, ServerId
from control_plane.model.workload import Moving, Placed, Server


@dataclass(frozen=True, slots=True)
class Inspection:
    """`stale` were removed from the host; `strangers` are machines that Yui has no record of, which
    it leaves alone and which keep the host out of use."""

    stale: tuple[Server, ...]
    strangers: tuple[str, ...]


def clean(
    driver: HostDriver,
    host: HostId,
    servers: Mapping[ServerId, Server],
    still_leading: Callable[[], bool],
) -> Inspection:
    """Remove stale copies and look again. Raises DriverError; may be repeated."""
    stale = []
    for machine in driver.list_servers():
        server = servers.get(machine.id)
        if server is None or _belongs(server, host):
            continue
        if not still_leading():
            break
        if machine.state is not RunState.STOPPED:
            driver.destroy(machine.id, machine.generation)
        driver.undefine(machine.id, machine.generation)
        stale.append(server)
    return Inspection(tuple(stale), _strangers(driver.list_servers(), driver, servers))


def _belongs(server: Server, host: HostId) -> bool:
    match server.placement:
        case Placed(host=home):
            return home == host
        case Moving(source=source, target=target):
            return host in (source, target)
        case _:
            return False


def _strangers(
    listing: Sequence[ObservedServer], driver: HostDriver, servers: Mapping[ServerId, Server]
) -> tuple[str, ...]:
    unknown = [str(machine.id) for machine in listing if machine.id not in servers]
    return (*sorted(unknown), *sorted(driver.facts().foreign))

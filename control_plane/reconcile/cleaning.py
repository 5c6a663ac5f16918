"""A new or returning host is emptied of what doesn't belong on it before it carries anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from control_plane.drivers.protocol import HostDriver, ObservedServer, RunState
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.workload import Moving, Placed, Server
from control_plane.reconcile.leftovers import is_leftover

_NONE: Mapping[ServerId, Generation] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Inspection:
    """`stale` were removed from the host, and so was what is left of `deleted` servers; `strangers` are
    machines that Yui has no record of, which it leaves alone and which keep the host out of use."""

    stale: tuple[Server, ...]
    strangers: tuple[str, ...]
    deleted: tuple[ServerId, ...] = ()


def clean(
    driver: HostDriver,
    host: HostId,
    servers: Mapping[ServerId, Server],
    still_leading: Callable[[], bool],
    deleted: Mapping[ServerId, Generation] = _NONE,
) -> Inspection:
    """Remove stale copies and what is left of `deleted` servers, given with their last generations, and
    look again. Raises DriverError; may be repeated."""
    stale: list[Server] = []
    left: list[ServerId] = []
    for machine in driver.list_servers():
        server = servers.get(machine.id)
        if server is None and not is_leftover(machine.id, machine.generation, deleted):
            continue
        if server is not None and _belongs(server, host):
            continue
        if not still_leading():
            break
        if machine.state is not RunState.STOPPED:
            driver.destroy(machine.id, machine.generation)
        driver.undefine(machine.id, machine.generation)
        if server is None:
            left.append(machine.id)
        else:
            stale.append(server)
    strangers = _strangers(driver.list_servers(), driver, servers)
    return Inspection(tuple(stale), strangers, tuple(left))


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

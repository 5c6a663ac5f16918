"""Compares what is wanted with what is seen, and says what to do about each server. Pure.

At most one action per server comes out, the one that must happen first; when it has been done, the
next comparison finds the next. So a crash between two actions needs no memory of either.

What takes a server away carries the generation that was `listed`, so that it does nothing to a copy
that was decided on later. For this to hold, a copy must bear its server's generation before it comes
to run anywhere: it is defined with it before each start, and relabelled before each migration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from control_plane.drivers.protocol import ObservedServer, RunState
from control_plane.model.ids import Generation, HostId, ServerId, StoragePoolId
from control_plane.model.workload import (
    Moving,
    Placed,
    Power,
    Seen,
    Server,
    Shelved,
    Sighting,
    Stranded,
)
from control_plane.reconcile.disks import (
    Disks,
    FitVolumes,
    GrowVolumes,
    RestoreSnapshot,
    TakeSnapshot,
    fit,
    growth,
)


@dataclass(frozen=True, slots=True)
class BringUp:
    """Image, volume, definition, start."""

    server: Server
    host: HostId


@dataclass(frozen=True, slots=True)
class Relabel:
    """It runs as wanted, under an older generation."""

    server: Server
    host: HostId


@dataclass(frozen=True, slots=True)
class Stop:
    """`hard`: its power is cut at once. One that is wanted to run is started again after it."""

    server: Server
    host: HostId
    listed: Generation
    hard: bool = False


@dataclass(frozen=True, slots=True)
class RemoveStale:
    """A copy on a host where it doesn't belong. `running` says that its power must be cut first."""

    server: Server
    host: HostId
    running: bool
    listed: Generation


@dataclass(frozen=True, slots=True)
class Migrate:
    """`at_target` is True while the target shows a copy that is still arriving."""

    server: Server
    source: HostId
    target: HostId
    at_target: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """The source no longer has it: it belongs to the target, and is started there if need be."""

    server: Server


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove definition and volume; `host` is where that can be done. `listed` is None where it has no
    definition."""

    server: Server
    host: HostId
    listed: Generation | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A machine that carries Yui's mark and that is no server now: told and never touched, unless
    Yui has deleted that server itself."""

    server: ServerId
    host: HostId
    listed: Generation


@dataclass(frozen=True, slots=True)
class Undefine:
    """It is shelved and has stopped: its definition goes, its disks stay."""

    server: Server
    host: HostId
    listed: Generation


@dataclass(frozen=True, slots=True)
class PutAway:
    """It is shelved and its host no longer has it: the room there is free."""

    server: Server


Action = (
    BringUp
    | Relabel
    | Stop
    | RemoveStale
    | Migrate
    | Arrived
    | Delete
    | Undefine
    | PutAway
    | FitVolumes
    | GrowVolumes
    | TakeSnapshot
    | RestoreSnapshot
    | Unknown
)

Observed = Mapping[HostId, Sequence[ObservedServer]]
"""What each host that answered reports; a host that is missing here is not known about."""


_NO_DISKS = Disks()


def compare(
    servers: Iterable[Server],
    observed: Observed,
    pool_hosts: Mapping[StoragePoolId, HostId],
    disks: Disks = _NO_DISKS,
) -> list[Action]:
    """One action at most per server, in the order of the servers given. `pool_hosts` names a host for
    each storage pool that can be reached, from which the volume of a server on no host is removed.
    `disks` says what volumes servers are to have."""
    found: dict[ServerId, dict[HostId, ObservedServer]] = defaultdict(dict)
    for host, listing in observed.items():
        for machine in listing:
            found[machine.id][host] = machine
    actions: list[Action] = []
    known: set[ServerId] = set()
    for server in servers:
        known.add(server.id)
        action = _next_action(server, found.get(server.id, {}), observed, pool_hosts, disks)
        if action is not None:
            actions.append(action)
    for server_id, places in found.items():
        if server_id not in known:
            actions.extend(Unknown(server_id, h, m.generation) for h, m in places.items())
    return actions


def may_go_on(action: Action, doubtful: Collection[HostId]) -> bool:
    """Whether an action may be begun while the hosts `doubtful` answer and are suspect all the same.

    Nothing is brought to a doubtful host, neither started nor moved there, and nothing that it may
    still have to offer is thrown away. What its owners and operators want gone from it goes."""
    match action:
        case BringUp(host=host) | TakeSnapshot(host=host) | RestoreSnapshot(host=host):
            return host not in doubtful
        case GrowVolumes(host=host):
            return host not in doubtful
        case FitVolumes(host=host, give=give):
            return not give or host not in doubtful
        case Migrate(target=target):
            return target not in doubtful
        case RemoveStale(server=server, host=host, running=True):
            return host not in doubtful or host not in _homes(server)
        case _:
            return True


def _next_action(
    server: Server,
    places: Mapping[HostId, ObservedServer],
    observed: Observed,
    pool_hosts: Mapping[StoragePoolId, HostId],
    disks: Disks,
) -> Action | None:
    home = _homes(server)
    for host, machine in places.items():
        if host not in home:
            running = machine.state is not RunState.STOPPED
            return RemoveStale(server, host, running, machine.generation)
    match server.placement:
        case Placed(host=host) if host in observed:
            return _at_home(server, host, places.get(host), disks)
        case Moving() as move if move.source in observed and move.target in observed:
            return _on_the_way(server, move, places.get(move.source), places.get(move.target))
        case Stranded() | Shelved() if server.deleting and server.storage in pool_hosts:
            return Delete(server, pool_hosts[server.storage], None)
        case _:
            return None


def _homes(server: Server) -> tuple[HostId, ...]:
    match server.placement:
        case Placed(host=host):
            return (host,)
        case Moving(source=source, target=target):
            return (source, target)
        case _:
            return ()


def _at_home(
    server: Server, host: HostId, machine: ObservedServer | None, disks: Disks
) -> Action | None:
    if server.deleting:
        return Delete(server, host, None if machine is None else machine.generation)
    if machine is None or machine.state is RunState.STOPPED:
        return _at_rest(server, host, machine, disks)
    if server.power is not Power.RUNNING:
        return Stop(server, host, machine.generation)
    if machine.booted < server.boot_since:
        return Stop(server, host, machine.generation, hard=server.boot_hard)
    if machine.generation == server.generation:
        if machine.state in (RunState.PAUSED, RunState.SUSPENDED):
            # Starting it lets it go on, as after a full disk has got room again.
            return BringUp(server, host)
        return (
            fit(server, host, machine, runs=True, disks=disks)
            or growth(server, host, machine, disks)
            or _copied(server, host, machine, disks)
        )
    if machine.state is RunState.PAUSED:
        # Left over from a move that broke off: what it holds in memory is worth nothing.
        return RemoveStale(server, host, True, machine.generation)
    return Relabel(server, host)


def _at_rest(
    server: Server, host: HostId, machine: ObservedServer | None, disks: Disks
) -> Action | None:
    if server.id in disks.to_restore:
        return RestoreSnapshot(server, host, disks.to_restore[server.id])
    fitting = fit(server, host, machine, runs=False, disks=disks)
    if fitting is not None:
        return fitting
    match server.power:
        case Power.RUNNING:
            return BringUp(server, host)
        case Power.STOPPED:
            return growth(server, host, machine, disks) or _copied(server, host, machine, disks)
        case Power.SHELVED if machine is None:
            return PutAway(server)
        case Power.SHELVED:
            return Undefine(server, host, machine.generation)


def _copied(
    server: Server, host: HostId, machine: ObservedServer | None, disks: Disks
) -> TakeSnapshot | None:
    snapshot = disks.to_take.get(server.id)
    if snapshot is None:
        return None
    return TakeSnapshot(server, host, snapshot, defined=machine is not None)


def _on_the_way(
    server: Server,
    move: Moving,
    at_source: ObservedServer | None,
    at_target: ObservedServer | None,
) -> Action:
    if at_source is None:
        return Arrived(server)
    if at_source.state is RunState.STOPPED:
        return RemoveStale(server, move.source, False, at_source.generation)
    if at_source.generation != server.generation:
        return Relabel(server, move.source)
    return Migrate(server, move.source, move.target, at_target is not None)


Listings = Mapping[HostId, Mapping[ServerId, ObservedServer]]


def listings(observed: Observed) -> Listings:
    """The same, to be asked by server."""
    return {
        host: {machine.id: machine for machine in listing} for host, listing in observed.items()
    }


def seen_now(server: Server, observed: Listings) -> Sighting | None:
    """What the listings say of a server; None where its hosts did not answer."""
    homes = _homes(server)
    copies = [observed[h][server.id] for h in homes if h in observed and server.id in observed[h]]
    for machine in copies:
        if machine.state is RunState.RUNNING:
            return Sighting(Seen.RUNNING, machine.generation, machine.booted)
    if not all(host in observed for host in homes):
        return None
    if copies:
        return Sighting(Seen.STOPPED, copies[0].generation, copies[0].booted)
    return Sighting(Seen.NOWHERE)

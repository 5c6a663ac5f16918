"""One tick's worth of convergence: look at the hosts that answer, and repair what differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from control_plane.drivers.protocol import ObservedServer
from control_plane.drivers.world import World
from control_plane.model.host_health import Suspect, Up
from control_plane.model.ids import HostId, ServerId, StoragePoolId
from control_plane.model.operation import Event
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Moving, Placed, Power, Seen, Server, Sighting
from control_plane.reconcile import narration
from control_plane.reconcile.convergence import (
    Action,
    Arrived,
    BringUp,
    Delete,
    Migrate,
    PutAway,
    Relabel,
    RemoveStale,
    Stop,
    Undefine,
    Unknown,
    compare,
    listings,
    may_go_on,
    seen_now,
)
from control_plane.reconcile.disk_care import DiskCare, is_same
from control_plane.reconcile.disks import (
    DiskAction,
    FitVolumes,
    GrowVolumes,
    RestoreSnapshot,
    TakeSnapshot,
)
from control_plane.reconcile.errands import Errands, HostAction, Outcome
from control_plane.reconcile.health_record import insist
from control_plane.reconcile.leadership import still_held
from control_plane.reconcile.leftovers import Leftovers
from control_plane.reconcile.order import may_begin
from control_plane.reconcile.records import Records
from control_plane.reconcile.shelving import let_go
from control_plane.reconcile.spec import Surroundings
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, Transaction

_DOING: Mapping[type, tuple[str, str]] = {
    BringUp: ("started", "起動"),
    Relabel: ("updated", "更新"),
    Stop: ("stopped", "停止"),
    RemoveStale: ("removed from a host where it doesn't belong", "不要な複製の削除"),
    Migrate: ("moved", "移動"),
    Delete: ("deleted", "削除"),
    FitVolumes: ("fitted with its volumes", "ボリュームの接続・切り離し"),
    GrowVolumes: ("given larger volumes", "ボリュームの拡張"),
    TakeSnapshot: ("copied to a snapshot", "スナップショットの取得"),
    RestoreSnapshot: ("restored from a snapshot", "スナップショットの復元"),
    Undefine: ("shelved", "休止"),
}


@dataclass(frozen=True, slots=True)
class _Picture:
    """All that what is wanted and what is seen are compared by."""

    hosts: Sequence[Host]
    servers: Sequence[Server]
    surroundings: Surroundings
    observed: Mapping[HostId, Sequence[ObservedServer]]

    def same_as(self, other: _Picture | None) -> bool:
        """Where the records are the very ones of then, and every host tells the same."""
        return (
            other is not None
            and self.hosts is other.hosts
            and self.servers is other.servers
            and self.surroundings is other.surroundings
            and self.observed == other.observed
        )


@dataclass(slots=True)
class Repair:
    store: Store
    world: World
    records: Records
    timings: Timings
    _errands: Errands = field(init=False)
    _leftovers: Leftovers = field(init=False)
    _disk_care: DiskCare = field(init=False)
    _moves_put_off: dict[ServerId, Seconds] = field(default_factory=dict)
    _disturbed: bool = False
    _at_rest: _Picture | None = None

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, self._still_wanted)
        self._leftovers = Leftovers(self.store, self.world, self.timings)
        self._disk_care = DiskCare(self.store, self.world, self.timings)

    @property
    def busy(self) -> int:
        return len(self._errands.busy) + self._disk_care.busy

    @property
    def moves_put_off(self) -> frozenset[ServerId]:
        """Servers whose last move was given up a short while ago."""
        now = self.world.clock.monotonic()
        return frozenset(server for server, until in self._moves_put_off.items() if now < until)

    def take_disturbed(self) -> bool:
        """True once after something moved, so that the pool has to be proved again."""
        disturbed, self._disturbed = self._disturbed, False
        return self._disk_care.take_disturbed() or disturbed

    def advance(self, hosts: Sequence[Host], answering: Sequence[Host], lease: Lease) -> int:
        by_id = {host.id: host for host in hosts}
        changes = self._settle(lease)
        busy_before = set(self._errands.busy)
        observed = self._look(answering)
        servers, surroundings = self.records.servers_and_surroundings()
        used = {h.id for h in hosts if isinstance(h.health, Up | Suspect)}
        doubtful = {h.id for h in hosts if isinstance(h.health, Suspect)}
        pool_hosts = _pool_hosts([by_id[h] for h in observed if h in used - doubtful])
        picture = _Picture(hosts, servers, surroundings, observed)
        actions: list[Action] = []
        if busy_before or changes or not picture.same_as(self._at_rest):
            # A listing may be older than what an errand has done since.
            idle = [server for server in servers if server.id not in busy_before]
            changes += self._note_seen(idle, observed, by_id, lease)
            changes += self._disk_care.note_plugged(idle, listings(observed), surroundings, lease)
            actions = [
                action
                for action in compare(
                    servers,
                    {h: o for h, o in observed.items() if h in used},
                    pool_hosts,
                    surroundings.disks,
                )
                if isinstance(action, Unknown) or action.server.id not in busy_before
            ]
            self._at_rest = None if busy_before or changes or actions else picture
        changes += self._decide(actions, doubtful, lease)
        changes += self._leftovers.advance(
            [a for a in actions if isinstance(a, Unknown)], by_id, lease
        )
        wanted = [action for action in actions if may_go_on(action, doubtful)]
        changes += self._work(wanted, by_id, surroundings, lease)
        return changes + self._disk_care.advance(servers, surroundings, pool_hosts, by_id, lease)

    def _look(self, hosts: Sequence[Host]) -> dict[HostId, Sequence[ObservedServer]]:
        listings = self.world.run_all([partial(self._list, host) for host in hosts])
        return {
            host.id: listing
            for host, listing in zip(hosts, listings, strict=True)
            if not isinstance(listing, BaseException)
        }

    def _list(self, host: Host) -> Sequence[ObservedServer]:
        return self.world.driver(host).list_servers()

    def _note_seen(
        self,
        servers: Sequence[Server],
        observed: Mapping[HostId, Sequence[ObservedServer]],
        hosts: Mapping[HostId, Host],
        lease: Lease,
    ) -> int:
        at = self.world.clock.now()
        noted = []
        by_server = listings(observed)
        for server in servers:
            known = Sighting(server.seen, server.copy_generation, server.booted)
            sighting = seen_now(server, by_server)
            if sighting is None and self._in_doubt(server, hosts):
                sighting = replace(known, seen=Seen.UNKNOWN)
            if sighting is not None and sighting != known:
                noted.append((server, sighting))
        if not noted:
            return 0
        with self.store.write(lease) as tx:
            tx.note_sightings({server.id: sighting for server, sighting in noted})
            for server, sighting in noted:
                seen = sighting.seen
                if not isinstance(server.placement, Placed) or seen is server.seen:
                    continue
                if seen is Seen.RUNNING and server.seen is not Seen.UNKNOWN:
                    tx.add_event(narration.running(server, server.placement.host, at))
                elif (
                    server.seen is Seen.RUNNING
                    and seen in (Seen.STOPPED, Seen.NOWHERE)
                    and server.power is Power.RUNNING
                    and not server.deleting
                    and not server.restarting
                ):
                    host = hosts[server.placement.host]
                    doubtful = isinstance(host.health, Suspect)
                    tx.add_event(
                        narration.stopped_by_itself(server, host.id, at, doubtful=doubtful)
                    )
        return sum(sighting.seen is not server.seen for server, sighting in noted)

    def _in_doubt(self, server: Server, hosts: Mapping[HostId, Host]) -> bool:
        match server.placement:
            case Placed(host=host):
                return not isinstance(hosts[host].health, Up)
            case Moving(source=source, target=target):
                return not all(isinstance(hosts[h].health, Up) for h in (source, target))
            case _:
                return False

    def _decide(self, actions: Sequence[Action], doubtful: Collection[HostId], lease: Lease) -> int:
        """What needs no host, only a change of the records."""
        changes = 0
        for action in actions:
            try:
                match action:
                    case Arrived(server=server):
                        changes += self._finish_move(server, lease, arrived=True)
                    case PutAway(server=server):
                        changes += let_go(self.store, server, lease, self.world.clock.now())
                        self._disturbed = True
                    case Migrate(server=server) if self._given_up(action, doubtful):
                        changes += self._finish_move(server, lease, arrived=False)
                    case _:
                        pass
            except LostRace:
                continue
        return changes

    def _finish_move(self, server: Server, lease: Lease, *, arrived: bool) -> int:
        move = server.placement
        if not isinstance(move, Moving):
            return 0
        at = self.world.clock.now()
        event = narration.moved if arrived else narration.move_given_up
        with self.store.write(lease) as tx:
            placement = move.arrived() if arrived else move.abandoned()
            tx.end_move(server, placement)
            tx.add_event(event(server, move.source, move.target, at))
        if not arrived:
            self._errands.forget_failures(server.id)
            until = self.world.clock.monotonic() + self.timings.retry_most
            self._moves_put_off[server.id] = Seconds(until)
        self._disturbed = True
        return 1

    def _work(
        self,
        actions: Sequence[Action],
        hosts: Mapping[HostId, Host],
        surroundings: Surroundings,
        lease: Lease,
    ) -> int:
        """Begin what may begin now. Where errands end at once, the next in order follow at once."""
        wanted = [a for a in actions if isinstance(a, HostAction) and not self._given_up(a, ())]
        for action in wanted:
            self._errands.forget_older(action.server)
            self._errands.make_way(action)
        waiting = [a for a in wanted if self._errands.may_try(a.server.id)]
        changes = 0
        given = self._given(waiting)
        while waiting:
            bring_ups = [a for a in waiting if isinstance(a, BringUp)]
            turn: list[HostAction] = [a for a in waiting if not isinstance(a, BringUp)]
            failed = [a for a in wanted if self._errands.failures(a.server)]
            held_up_by = [*self._errands.busy.values(), *(a for a in failed if a not in waiting)]
            turn += may_begin(bring_ups, held_up_by, hosts, self._errands.hopeless)
            turn = turn[: max(0, self.timings.errands_at_once - self.busy)]
            if not turn:
                break
            for action in turn:
                seed = given.get(action.server.id, ("", ()))
                spec = surroundings.spec_of(action.server, *seed)
                self._errands.begin(action, hosts, spec, lease)
            changes += len(turn)
            begun = {action.server.id for action in turn}
            waiting = [a for a in waiting if a.server.id not in begun]
            changes += self._settle(lease)
        return changes

    def _given(
        self, actions: Sequence[HostAction]
    ) -> Mapping[ServerId, tuple[str, tuple[str, ...]]]:
        """What the seeds of those that are to be defined tell: user data and public keys."""
        defined = {a.server.id for a in actions if isinstance(a, BringUp | Relabel)}
        if not defined:
            return {}
        with self.store.read() as tx:
            user_data, keys = tx.user_data_of(defined), tx.keys_of_servers(defined)
        return {
            id: (user_data.get(id, ""), (keys[id].public_key,) if id in keys else ())
            for id in user_data.keys() | keys.keys()
        }

    def _given_up(self, action: Action, doubtful: Collection[HostId]) -> bool:
        """A move that the target says has not come to it, and that goes wrong again and again or
        would lead to a host that has become suspect."""
        return (
            isinstance(action, Migrate)
            and not action.at_target
            and (
                action.target in doubtful
                or self._errands.failures(action.server) >= self.timings.attempts
            )
        )

    def _settle(self, lease: Lease) -> int:
        """Write down what errands came to; how many have ended."""
        ended = 0
        for outcome in self._errands.settle(lease):
            self._record(outcome, lease)
            ended += 1
        return ended

    def _record(self, outcome: Outcome, lease: Lease) -> None:
        action, done = outcome.action, outcome.done
        if isinstance(action, DiskAction) and (outcome.first or done.closed or done.grown):
            self._disk_care.record(action, done, outcome.error, lease)
        if outcome.error is not None:
            if outcome.first and not done.held:
                self._tell_failed(action, outcome.error, lease)
        elif isinstance(action, Delete):
            self._disturbed |= bool(insist(self.store, lease, partial(_remove, action.server)))
        elif isinstance(action, RemoveStale):
            self._tell(narration.stale_copy(action.server, action.host, self._now()), lease)

    def _tell_failed(self, action: HostAction, error: str, lease: Lease) -> None:
        en, ja = _DOING[type(action)]
        self._tell(narration.errand_failed(action.server, en, ja, error, self._now()), lease)

    def _tell(self, event: Event, lease: Lease) -> None:
        def write(tx: Transaction) -> int:
            tx.add_event(event)
            return 1

        insist(self.store, lease, write)

    def _now(self) -> datetime:
        return self.world.clock.now()

    def _still_wanted(self, server: Server, lease: Lease) -> bool:
        with self.store.read() as tx:
            return is_same(tx, server) and still_held(tx, lease)


def _remove(server: Server, tx: Transaction) -> int:
    """Its host has nothing of it any more. Where something else was decided meanwhile, the next
    comparison finds out what is left to do."""
    if not is_same(tx, server):
        return 0
    tx.remove_server(server.id)
    tx.remove_emptied_system(server.system)
    return 1


def _pool_hosts(hosts: Sequence[Host]) -> dict[StoragePoolId, HostId]:
    """For each storage pool, the first of these hosts that has it."""
    found: dict[StoragePoolId, HostId] = {}
    for host in sorted(hosts, key=lambda h: h.id, reverse=True):
        found.update(dict.fromkeys(host.storage, host.id))
    return found

"""Takes hosts into use: each is cleaned beside the tick, and is well once that has succeeded.

A host that answers slowly while it is emptied holds up nobody's detection. What is remembered here
only saves work: cleaning may be repeated, and whoever finds a host in Cleaning begins it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Lane, Pending, Sign, World
from control_plane.model.host_health import Cleaning
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.operation import Event
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Server
from control_plane.reconcile import narration
from control_plane.reconcile.cleaning import Inspection, clean
from control_plane.reconcile.detection import Hearing
from control_plane.reconcile.health_record import write_health
from control_plane.reconcile.leadership import still_held
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.reconcile.unused import Unused, Why
from control_plane.store import Lease, Store

_TOO_LONG = Why("it took too long", "時間がかかりすぎています")


@dataclass(slots=True)
class _Visit:
    """`host` as it stood when its cleaning began. `doubtful` once it was not heard meanwhile: it may
    have started anew behind the inspection."""

    host: Host
    began: Seconds
    doubtful: bool = False


@dataclass(slots=True)
class Intake:
    store: Store
    world: World
    timings: Timings
    _unused: Unused = field(init=False)
    _visits: UnderWay[HostId, _Visit, Inspection] = field(init=False)
    _strangers_told: dict[HostId, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._unused = Unused(self.world, self.timings)
        self._visits = UnderWay(self.world, Lane.CARE)

    def advance(self, hosts: Sequence[Host], hearing: Hearing, lease: Lease) -> int:
        """Begin to clean what can be, and take into use what is clean; how many hosts that were."""
        for host in hosts:
            if not isinstance(host.health, Cleaning):
                self._unused.forget(host.id)
                continue
            why = self._unused.look(host, hearing, lease)
            if why is not None:
                at = self.world.clock.now()
                self._say(narration.unreachable(host.id, why.en, why.ja, at), lease)
        good = [h for h in hosts if isinstance(h.health, Cleaning) and _is_well(h.id, hearing)]
        for id, visit in self._visits.things().items():
            visit.doubtful |= not _is_well(id, hearing)
        self._begin([host for host in good if host.id not in self._visits], lease)
        standing = {host.id: host for host in hosts}
        changes = 0
        for id, visit, pending in self._visits.ended(lease):
            changes += self._end(visit, pending, standing.get(id), lease)
        for visit in self._visits.things().values():
            if self.world.clock.monotonic() - visit.began >= self.timings.retry_most:
                # One that hangs is waited for, and told of.
                self._tell_failure(visit.host.id, _TOO_LONG, lease)
        return changes

    def _begin(self, hosts: Sequence[Host], lease: Lease) -> None:
        if not hosts:
            return
        with self.store.read() as tx:
            servers = {server.id: server for server in tx.servers()}
            deleted = tx.deleted_servers()
        now = self.world.clock.monotonic()
        for host in hosts:
            task = partial(self._clean, host, servers, deleted, lease)
            self._visits.begin(host.id, _Visit(host, now), task, lease)

    def _clean(
        self,
        host: Host,
        servers: Mapping[ServerId, Server],
        deleted: Mapping[ServerId, Generation],
        lease: Lease,
    ) -> Inspection:
        def still_leading() -> bool:
            with self.store.read() as tx:
                return _is_same(tx.host(host.id), host) and still_held(tx, lease)

        return clean(self.world.driver(host), host.id, servers, still_leading, deleted)

    def _end(
        self, visit: _Visit, pending: Pending[Inspection], standing: Host | None, lease: Lease
    ) -> int:
        host, at = visit.host, self.world.clock.now()
        same = standing is not None and _is_same(standing, host)
        try:
            found = pending.result()
        except Exception as error:  # one host's trouble must not stop the care for the others
            if same:
                self._tell_failure(host.id, _said_of(error), lease)
            return 0
        strangers = found.strangers if same else ()
        news = strangers if strangers != self._strangers_told.get(host.id, ()) else ()
        if same:
            self._strangers_told[host.id] = strangers
        if found.stale or found.deleted or news:
            with self.store.write(lease) as tx:
                tx.add_events([narration.stale_copy(s, host.id, at) for s in found.stale])
                if found.deleted:
                    tx.add_event(narration.leftovers_removed(host.id, found.deleted, at))
                if news:
                    tx.add_event(narration.not_clean(host.id, news, at))
        if not same or strangers or visit.doubtful or not isinstance(host.health, Cleaning):
            return 0
        # Its generation moves only with its description or duty here, since it carries nothing.
        return write_health(
            self.store,
            lease,
            host,
            host.health.cleaned(at),
            at,
            still=lambda _, now: _is_same(now, host),
        )

    def _tell_failure(self, host: HostId, why: Why, lease: Lease) -> None:
        if self._unused.new(host, why) is not None:
            self._say(narration.cleaning_failed(host, why.en, self.world.clock.now()), lease)

    def _say(self, event: Event, lease: Lease) -> None:
        with self.store.write(lease) as tx:
            tx.add_event(event)


def _is_well(host: HostId, hearing: Hearing) -> bool:
    return hearing.answers(host) and Sign.SILENT not in hearing.of(host).values()


def _is_same(standing: Host, begun: Host) -> bool:
    return (standing.health, standing.generation) == (begun.health, begun.generation)


def _said_of(error: Exception) -> Why:
    known = isinstance(error, DriverError | TimeoutError)
    said = str(error) if known else f"{type(error).__name__}: {error}"
    said = said.rstrip(".")
    return Why(said, said) if said else _TOO_LONG

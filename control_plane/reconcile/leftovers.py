"""Removes from hosts in use what is left there of servers that Yui has deleted.

A host that could not be asked while a server was deleted may still have its definition, or even run
it. That the store remembers the deletion is what tells such a machine from one that Yui knows nothing
of, which is told to people and never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.drivers.protocol import DriverError, HostDriver, MovedOn, RunState
from control_plane.drivers.world import World
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.operation import Event, Severity
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.reconcile import narration
from control_plane.reconcile.convergence import Unknown
from control_plane.reconcile.leadership import still_held
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease, Store


def is_leftover(
    server: ServerId, listed: Generation, deleted: Mapping[ServerId, Generation]
) -> bool:
    """Whether a machine is what Yui made of a server that it deleted; one with a higher generation
    than the server ever had is somebody else's work."""
    last = deleted.get(server)
    return last is not None and listed <= last


@dataclass(slots=True)
class Leftovers:
    """One host at a time is dealt with by one task; a failed one is tried again after a while."""

    store: Store
    world: World
    timings: Timings
    _under_way: UnderWay[HostId, frozenset[ServerId], None] = field(init=False)
    _not_before: dict[HostId, Seconds] = field(default_factory=dict)
    _told: set[tuple[HostId, ServerId]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world)

    def advance(self, found: Sequence[Unknown], hosts: Mapping[HostId, Host], lease: Lease) -> int:
        """`found`: the machines with Yui's mark that are no servers. Returns how much was done."""
        changes = self._settle(lease)
        if not found:
            return changes
        with self.store.read() as tx:
            deleted = tx.deleted_servers({machine.server for machine in found})
        by_host: dict[HostId, set[ServerId]] = {}
        for machine in found:
            if is_leftover(machine.server, machine.listed, deleted):
                by_host.setdefault(machine.host, set()).add(machine.server)
            else:
                self._tell(machine, lease)
        now = self.world.clock.monotonic()
        for host, servers in by_host.items():
            if host not in self._under_way and now >= self._not_before.get(host, now):
                self._begin(hosts[host], frozenset(servers), lease)
        return changes + self._settle(lease)

    def _tell(self, machine: Unknown, lease: Lease) -> None:
        if (machine.host, machine.server) in self._told:
            return
        self._told.add((machine.host, machine.server))
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            tx.add_event(narration.unknown_machine(machine.server, machine.host, at))

    def _begin(self, host: Host, servers: frozenset[ServerId], lease: Lease) -> None:
        def may_remove(server: ServerId, listed: Generation) -> bool:
            with self.store.read() as tx:
                deleted = tx.deleted_servers({server})
                return is_leftover(server, listed, deleted) and still_held(tx, lease)

        def task() -> None:
            _remove(self.world.driver(host), servers, may_remove)

        self._under_way.begin(host.id, servers, task, lease)

    def _settle(self, lease: Lease) -> int:
        changes = 0
        for host, servers, pending in self._under_way.ended(lease):
            try:
                pending.result()
            except Exception as error:  # one host's trouble must not stop the care for the others
                again = self.world.clock.monotonic() + self.timings.retry_most
                self._not_before[host] = Seconds(again)
                self._say_failed(host, servers, error, lease)
                continue
            at = self.world.clock.now()
            with self.store.write(lease) as tx:
                tx.add_event(narration.leftovers_removed(host, sorted(servers), at))
            changes += 1
        return changes

    def _say_failed(
        self, host: HostId, servers: frozenset[ServerId], error: Exception, lease: Lease
    ) -> None:
        news = {(host, server) for server in servers} - self._told
        if not news or isinstance(error, MovedOn):
            return
        self._told |= news
        known = isinstance(error, DriverError | TimeoutError)
        why = (str(error) if known else f"{type(error).__name__}: {error}").rstrip(".")
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            tx.add_event(_they_stay(host, sorted(servers), why, at))


def _remove(
    driver: HostDriver,
    servers: Collection[ServerId],
    may_remove: Callable[[ServerId, Generation], bool],
) -> None:
    for machine in driver.list_servers():
        if machine.id not in servers or not may_remove(machine.id, machine.generation):
            continue
        if machine.state is not RunState.STOPPED:
            driver.destroy(machine.id, machine.generation)
        driver.undefine(machine.id, machine.generation)


def _they_stay(host: HostId, servers: Sequence[ServerId], why: str, at: datetime) -> Event:
    names = ", ".join(servers)
    return Event(
        "host.leftovers-stay",
        f"host:{host}",
        at,
        Severity.WARNING,
        f"Host {host} still has what is left of deleted servers ({names}), and it could not be removed: "
        f"{why}. It is tried again and again.",
        f"ホスト {host} に削除済みサーバーの定義({names})が残っており、取り除けませんでした: {why}。繰り返し試みます。",
        fields={"servers": list(servers), "reason": why},
    )

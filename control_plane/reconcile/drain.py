"""Empties a host whose operators want it for maintenance, a few servers at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from control_plane.admission import move
from control_plane.drivers.world import Clock
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, ServerId
from control_plane.model.pool import Duty, Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Moving, Placed, Server
from control_plane.reconcile import narration
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, hosts_of


@dataclass(slots=True)
class Draining:
    """What finds no place is asked about again after a while, since asking costs a search."""

    store: Store
    clock: Clock
    timings: Timings
    _said: dict[HostId, set[ServerId]] = field(default_factory=dict)
    _not_before: dict[ServerId, Seconds] = field(default_factory=dict)

    def advance(
        self,
        hosts: Sequence[Host],
        servers: Sequence[Server],
        put_off: Collection[ServerId],
        lease: Lease,
        at: datetime,
    ) -> int:
        """Begin as many moves as may run at once; a host that is empty goes into maintenance.
        Servers in `put_off` stay where they are for now. Returns how many hosts or servers changed.
        """
        changed = 0
        for host in hosts:
            if host.duty is not Duty.DRAINING:
                self._said.pop(host.id, None)
                continue
            if not isinstance(host.health, Up):
                continue
            carried = [s for s in servers if host.id in hosts_of(s.placement)]
            if carried:
                waiting = [s for s in carried if s.id not in put_off and not s.deleting]
                moving = sum(isinstance(s.placement, Moving) for s in carried)
                changed += self._move_some(host, waiting, moving, lease, at)
            else:
                changed += self._end(host, lease, at)
        return changed

    def _end(self, host: Host, lease: Lease, at: datetime) -> int:
        with self.store.write(lease) as tx:
            if tx.servers(host=host.id):
                return 0
            tx.save_host(replace(tx.host(host.id), duty=Duty.MAINTENANCE))
            tx.add_event(narration.drained(host.id, at))
        self._said.pop(host.id, None)
        return 1

    def _move_some(
        self, host: Host, waiting: list[Server], moving: int, lease: Lease, at: datetime
    ) -> int:
        now = self.clock.monotonic()
        waiting = [
            server
            for server in waiting
            if server.placement == Placed(host.id) and now >= self._not_before.get(server.id, now)
        ]
        # The servers that matter least move first: should the host die meanwhile, the move of a
        # resident-record system is not what is in the way of its restart.
        waiting.sort(key=lambda s: (-s.tier, s.id))
        begun = 0
        for server in waiting:
            if moving + begun >= self.timings.migrations_at_once:
                break
            try:
                move(self.store, server.id, None, lease)
                begun += 1
            except LostRace:
                continue
            except YuiError as refusal:
                self._not_before[server.id] = Seconds(now + self.timings.retry_most / 2)
                self._say(host, server, refusal, lease, at)
                break
        if begun:
            self._said.pop(host.id, None)
        return begun

    def _say(
        self, host: Host, server: Server, refusal: YuiError, lease: Lease, at: datetime
    ) -> None:
        told = self._said.setdefault(host.id, set())
        if server.id in told:
            return
        told.add(server.id)
        with self.store.write(lease) as tx:
            tx.add_event(narration.drain_stuck(host.id, refusal.en, refusal.ja, at))

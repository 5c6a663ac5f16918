"""Empties a host whose operators want it for maintenance, a few servers at a time."""

from __future__ import annotations

from collections.abc import Sequence
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
from control_plane.store import Lease, LostRace, Store


@dataclass(slots=True)
class Draining:
    """What finds no place is asked about again after a while, since asking costs a search."""

    store: Store
    clock: Clock
    timings: Timings
    _said: dict[HostId, str] = field(default_factory=dict)
    _not_before: dict[ServerId, Seconds] = field(default_factory=dict)

    def advance(
        self, hosts: Sequence[Host], servers: Sequence[Server], lease: Lease, at: datetime
    ) -> int:
        """Begin as many moves as may run at once; a host that is empty goes into maintenance.

        Returns how many hosts or servers changed.
        """
        changed = 0
        for host in hosts:
            if host.duty is not Duty.DRAINING or not isinstance(host.health, Up):
                continue
            changed += self._advance_one(host, servers, lease, at)
        return changed

    def _advance_one(
        self, host: Host, servers: Sequence[Server], lease: Lease, at: datetime
    ) -> int:
        waiting = [s for s in servers if s.placement == Placed(host.id) and not s.deleting]
        leaving = [
            s
            for s in servers
            if isinstance(s.placement, Moving)
            and host.id in (s.placement.source, s.placement.target)
        ]
        if not waiting and not leaving:
            if any(s.placement == Placed(host.id) for s in servers):
                return 0
            self._said.pop(host.id, None)
            with self.store.write(lease) as tx:
                tx.save_host(replace(tx.host(host.id), duty=Duty.MAINTENANCE))
                tx.add_event(narration.drained(host.id, at))
            return 1
        # The servers that matter least move first: should the host die meanwhile, the move of a
        # resident-record system is not what is in the way of its restart.
        waiting.sort(key=lambda s: (-s.tier, s.id))
        begun = 0
        now = self.clock.monotonic()
        waiting = [s for s in waiting if now >= self._not_before.get(s.id, now)]
        for server in waiting:
            if len(leaving) + begun >= self.timings.migrations_at_once:
                break
            try:
                move(self.store, server.id, None, lease)
                begun += 1
            except LostRace:
                continue
            except YuiError as refusal:
                self._not_before[server.id] = Seconds(now + self.timings.retry_most / 2)
                self._say(host, refusal, lease, at)
                break
        if begun:
            self._said.pop(host.id, None)
        return begun

    def _say(self, host: Host, refusal: YuiError, lease: Lease, at: datetime) -> None:
        if self._said.get(host.id) == refusal.en:
            return
        self._said[host.id] = refusal.en
        with self.store.write(lease) as tx:
            tx.add_event(narration.drain_stuck(host.id, refusal.en, refusal.ja, at))

"""Switches fenced hosts on again where servers wait for room: a whole site may have lost its power.

Only a host that is fenced and of which no server is recorded any more is touched: its being off may be
the proof on which its servers are being started elsewhere. What comes back is cleaned before it is
used. A host that its operators have taken out of service stays off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from control_plane.drivers.world import Lane, World
from control_plane.model.host_health import Fenced
from control_plane.model.ids import HostId
from control_plane.model.pool import Duty, Host
from control_plane.model.workload import Server, Stranded
from control_plane.reconcile import narration
from control_plane.reconcile.leadership import still_held
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease, Store


@dataclass(slots=True)
class Revival:
    """Each fence is followed by one try at most."""

    store: Store
    world: World
    _tried: dict[HostId, datetime] = field(default_factory=dict)
    _under_way: UnderWay[HostId, None, bool] = field(init=False)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world, Lane.CARE)

    def advance(self, hosts: Sequence[Host], servers: Sequence[Server], lease: Lease) -> int:
        waiting = [s for s in servers if isinstance(s.placement, Stranded) and not s.deleting]
        wanted = {server.storage for server in waiting}
        for host in hosts:
            # A host that doesn't reach their disks is no room for them.
            if not wanted.isdisjoint(host.storage):
                self._try(host, lease)
        return self._settle(lease)

    def _try(self, host: Host, lease: Lease) -> None:
        if (
            isinstance(host.health, Fenced)
            and host.duty is Duty.IN_SERVICE
            and self._tried.get(host.id) != host.health.since
            and host.id not in self._under_way
            and self._is_left(host, lease)
        ):
            self._tried[host.id] = host.health.since
            self._under_way.begin(host.id, None, partial(self._switch_on, host, lease), lease)

    def _switch_on(self, host: Host, lease: Lease) -> bool:
        """False where that is not wanted any more. It may have waited for others; somebody may be at the
        open machine by now."""
        if not self._is_left(host, lease):
            return False
        self.world.switch_on(host)
        return True

    def _is_left(self, host: Host, lease: Lease) -> bool:
        """Whether it stands as it did when this tick looked, and every server has left it."""
        with self.store.read() as tx:
            standing = tx.host(host.id)
            as_it_was = (standing.health, standing.duty) == (host.health, host.duty)
            is_empty = not tx.servers(host=host.id, limit=1)
            return as_it_was and is_empty and still_held(tx, lease)

    def _settle(self, lease: Lease) -> int:
        changes = 0
        for host, _, pending in self._under_way.ended(lease):
            try:
                is_on = pending.result()
            except Exception:  # noqa: S112 — it stays fenced, which people have been told of
                continue
            if not is_on:
                continue
            with self.store.write(lease) as tx:
                tx.add_event(narration.switched_on(host, self.world.clock.now()))
            changes += 1
        return changes

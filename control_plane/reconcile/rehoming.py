"""Places the servers that had found no room when their host died, as soon as there is some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from control_plane.drivers.world import Clock
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from control_plane.model.workload import Server, Stranded
from control_plane.reconcile.evacuation import place_for, rehome
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store


@dataclass(slots=True)
class Rehoming:
    """What finds no room asks again later, or as soon as anything in the pool has changed."""

    store: Store
    clock: Clock
    timings: Timings
    _not_before: dict[ServerId, Seconds] = field(default_factory=dict)

    def look_again(self) -> None:
        """Something in the pool has changed, so there may be room now."""
        self._not_before.clear()

    def advance(self, servers: Sequence[Server], lease: Lease) -> int:
        """Returns how many servers were placed."""
        stranded = [s for s in servers if isinstance(s.placement, Stranded)]
        changes = 0
        stop = self.clock.monotonic() + self.timings.planning_per_tick
        for server in sorted(stranded, key=lambda s: (s.tier, s.start_order, s.id)):
            if self.clock.monotonic() > stop:
                break
            if self.clock.monotonic() < self._not_before.get(server.id, 0.0):
                continue
            try:
                found = self._rehome(server, lease)
            except LostRace:
                continue
            if found:
                changes += 1
            else:
                again = Seconds(self.clock.monotonic() + self.timings.retry_most / 2)
                self._not_before[server.id] = again
        return changes

    def _rehome(self, server: Server, lease: Lease) -> bool:
        with self.store.read() as tx:
            if place_for(tx, server) is None:
                return False
        with self.store.write(lease) as tx:
            return rehome(tx, tx.server(server.id), self.clock.now()) is not None

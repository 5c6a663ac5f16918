"""Places the servers that had found no room when their host died, as soon as there is some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from control_plane.drivers.world import Clock
from control_plane.model.ids import RegionId, ServerId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Server, Stranded
from control_plane.placement import Refusal, Resettlement
from control_plane.reconcile import narration
from control_plane.reconcile.relocation import (
    InParts,
    Relocation,
    first_to_restart,
    record,
)
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, Store, Transaction


@dataclass(slots=True)
class Rehoming:
    """A region in which somebody finds no room is asked again later, or as soon as anything in the
    pool has changed."""

    store: Store
    clock: Clock
    timings: Timings
    _not_before: dict[RegionId, Seconds] = field(default_factory=dict)

    def look_again(self) -> None:
        """Something in the pool has changed, so there may be room now."""
        self._not_before.clear()

    def advance(
        self, hosts: Sequence[Host], servers: Sequence[Server], lease: Lease
    ) -> dict[RegionId, int]:
        """How many servers were placed, by region."""
        if not any(isinstance(server.placement, Stranded) for server in servers):
            return {}
        placed: dict[RegionId, int] = {}
        for region in sorted({host.region for host in hosts}):
            now = self.clock.monotonic()
            if now < self._not_before.get(region, now):
                continue
            refused: set[ServerId] = set()
            parts = InParts(self.store, self.clock, self.timings)
            placed[region] = parts.do(region, lease, partial(self._some, region, refused))
            if refused:
                self._not_before[region] = Seconds(now + self.timings.retry_most / 2)
        return {region: count for region, count in placed.items() if count}

    def _some(self, region: RegionId, refused: set[ServerId], tx: Transaction) -> int:
        """Place as many as one transaction may; those that find no room go to `refused`."""
        ledger = tx.ledger(region)
        waiting = [
            id for id, held in ledger.workloads.items() if not held.hosts and id not in refused
        ]
        if not waiting:
            return 0
        room = Resettlement(ledger, waiting)
        servers = {server.id: server for server in tx.servers(region=region)}
        found: list[Relocation] = []
        for server in first_to_restart((servers[id] for id in waiting), len(waiting)):
            if not isinstance(server.placement, Stranded):
                continue
            answer = room.find(server.id)
            if isinstance(answer, Refusal):
                refused.add(server.id)
                continue
            there = replace(server, placement=server.placement.rehome(answer))
            event = narration.rehomed(server, answer, self.clock.now())
            found.append(Relocation(there, event, takes=answer))
            if len(found) >= self.timings.servers_at_once:
                break
        record(tx, ledger, found)
        return len(found)

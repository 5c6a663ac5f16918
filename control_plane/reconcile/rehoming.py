"""Places the servers that had found no room when their host died, as soon as there is some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from control_plane.drivers.world import Clock
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, RegionId
from control_plane.model.pool import Duty, Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Server, Stranded
from control_plane.placement import Refusal
from control_plane.reconcile import narration
from control_plane.reconcile.failure import course, lost_hosts
from control_plane.reconcile.relocation import Relocation, in_one, in_order, record
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, Transaction

_Capability = tuple[HostId, object, object, object, object]


@dataclass(slots=True)
class Rehoming:
    """A region in which somebody finds no room is asked again later, or as soon as it has a host
    more that can be used, or one that can do more."""

    store: Store
    clock: Clock
    timings: Timings
    _not_before: dict[RegionId, Seconds] = field(default_factory=dict)
    _usable: dict[RegionId, frozenset[_Capability]] = field(default_factory=dict)

    def look_again(self) -> None:
        """Servers have gone away or moved, so there may be room now."""
        self._not_before.clear()

    def advance(
        self, hosts: Sequence[Host], servers: Sequence[Server], lease: Lease
    ) -> dict[RegionId, int]:
        """How many servers were placed, by region."""
        if not any(isinstance(server.placement, Stranded) for server in servers):
            return {}
        placed: dict[RegionId, int] = {}
        for region in sorted({host.region for host in hosts}):
            self._note_usable(region, hosts)
            now = self.clock.monotonic()
            if now < self._not_before.get(region, now):
                continue
            try:
                placed[region], everybody = in_one(
                    self.store, region, lease, partial(self._some, region)
                )
            except LostRace:
                continue
            if everybody:
                self._not_before[region] = Seconds(now + self.timings.retry_most / 2)
        return {region: count for region, count in placed.items() if count}

    def _note_usable(self, region: RegionId, hosts: Sequence[Host]) -> None:
        usable = frozenset(
            (host.id, host.capacity, host.zones, host.storage, host.traits)
            for host in hosts
            if host.region == region
            and isinstance(host.health, Up)
            and host.duty is Duty.IN_SERVICE
        )
        if not usable <= self._usable.get(region, frozenset()):
            self._not_before.pop(region, None)
        self._usable[region] = usable

    def _some(self, region: RegionId, tx: Transaction) -> tuple[int, bool]:
        """Place as many as one tick has time for: how many, and whether everybody was asked for."""
        ledger = tx.ledger(region)
        waiting = [s for s in tx.servers(region=region) if isinstance(s.placement, Stranded)]
        if not waiting:
            return 0, True
        at, one_failure = self.clock.now(), self.timings.one_failure
        # Those whose hosts are about to be fenced keep the refuges that they are promised.
        taken = course(ledger, lost_hosts(tx.hosts(region), at, one_failure), one_failure)
        found: list[Relocation] = []
        for server, given in taken.places(in_order(waiting)):
            if isinstance(given.answer, Refusal) or not isinstance(server.placement, Stranded):
                continue
            there = replace(server, placement=server.placement.rehome(given.answer))
            event = narration.rehomed(server, given.answer, at)
            found.append(Relocation(there, event, takes=given.answer))
            if len(found) >= self.timings.servers_per_tick:
                break
        record(tx, ledger, found)
        return len(found), len(found) < self.timings.servers_per_tick

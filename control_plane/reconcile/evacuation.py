"""Executes the certificate for fenced hosts: their servers are placed at their refuges.

Nothing is computed where the promise holds. Where it does not (more died than was promised, or a
server had no refuge), the servers with the lowest tier look for room first, and what finds none is
stranded: it waits, visibly, and holds no room.

Hosts that died together are evacuated together, so that the order of tiers holds among all of them.
That is done in parts, each a transaction, for a site may hold a thousand servers and others want to
write meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from control_plane.drivers.world import Clock
from control_plane.model.fence import FenceEvidence
from control_plane.model.host_health import Fenced
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.pool import DomainKind, Host
from control_plane.model.workload import Moving, Placed, Seen, Server, Stranded
from control_plane.placement import Refusal, Resettlement
from control_plane.reconcile import narration
from control_plane.reconcile.relocation import (
    InParts,
    Relocation,
    first_to_restart,
    record,
)
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, Store, Transaction, hosts_of

_WIDTH = {
    DomainKind.HOST: 0,
    DomainKind.RACK: 1,
    DomainKind.POWER: 2,
    DomainKind.SITE: 3,
    DomainKind.HAZARD: 4,
}

_Dead = Mapping[HostId, FenceEvidence]


@dataclass(slots=True)
class Evacuation:
    store: Store
    clock: Clock
    timings: Timings

    def advance(self, hosts: Sequence[Host], lease: Lease) -> dict[RegionId, int]:
        """Give the servers of fenced hosts new places, as many as one tick has time for; how many
        that were, by region. What another process was ahead of is left to the next tick."""
        moved: dict[RegionId, int] = {}
        for region in sorted({h.region for h in hosts if isinstance(h.health, Fenced)}):
            with self.store.read() as tx:
                carried = any(tx.servers(host=h) for h in _dead(hosts, region))
            if carried:
                parts = InParts(self.store, self.clock, self.timings)
                moved[region] = parts.do(region, lease, partial(self._some, region))
        return {region: count for region, count in moved.items() if count}

    def _some(self, region: RegionId, tx: Transaction) -> int:
        dead = _dead(tx.hosts(region), region)
        affected = {server.id: server for host in sorted(dead) for server in tx.servers(host=host)}
        if not affected:
            return 0
        some = first_to_restart(affected.values(), self.timings.servers_at_once)
        ledger = tx.ledger(region)
        record(tx, ledger, relocations(ledger, some, dead, self.clock.now()))
        return len(some)


def _dead(hosts: Sequence[Host], region: RegionId) -> dict[HostId, FenceEvidence]:
    return {
        host.id: host.health.evidence
        for host in hosts
        if host.region == region and isinstance(host.health, Fenced)
    }


def relocations(
    ledger: Ledger, servers: Sequence[Server], dead: _Dead, at: datetime
) -> list[Relocation]:
    """A new place, or none, for each of these servers of dead hosts, in their order."""
    homeless = [s.id for s in servers if all(host in dead for host in hosts_of(s.placement))]
    flight = _Flight(ledger, Resettlement(ledger, homeless), dead, at)
    found = []
    for server in servers:
        match server.placement:
            case Moving() as move if server.id not in homeless:
                found.append(flight.end_move(server, move))
            case Moving() as move:
                # Both of its hosts died, and both are fenced: it is as if it had arrived.
                arrived = move.source_fenced(dead[move.source])
                found.append(flight.restart_elsewhere(server, arrived))
            case Placed() as place:
                found.append(flight.restart_elsewhere(server, place))
            case _:
                pass
    return found


@dataclass(frozen=True, slots=True)
class _Flight:
    ledger: Ledger
    room: Resettlement
    dead: _Dead
    at: datetime

    def end_move(self, server: Server, move: Moving) -> Relocation:
        """The end that still lives already holds room."""
        if move.source in self.dead:
            place = move.source_fenced(self.dead[move.source])
            event = narration.evacuated(server, move.source, move.target, self.at, kept=True)
            return Relocation(_to_start(server, place), event)
        # It runs on at its source, as was seen.
        event = narration.move_given_up(server, move.source, move.target, self.at)
        place = move.target_fenced(self.dead[move.target])
        return Relocation(replace(server, placement=place), event)

    def restart_elsewhere(self, server: Server, place: Placed) -> Relocation:
        evidence = self.dead[place.host]
        refuge = self._refuge(server.id, place.host)
        if refuge is not None:
            self.room.give(server.id, refuge)
        answer = refuge or self.room.find(server.id)
        if isinstance(answer, Refusal):
            en, ja = answer.explain_en(), answer.explain_ja()
            event = narration.stranded(server, en, ja, self.at)
            return Relocation(_to_start(server, place.strand(evidence)), event)
        kept = refuge is not None
        event = narration.evacuated(server, place.host, answer, self.at, kept=kept)
        there = place.evacuate(evidence, answer)
        return Relocation(_to_start(server, there), event, takes=answer)

    def _refuge(self, server: ServerId, dead: HostId) -> HostId | None:
        """The refuge promised for the narrowest domain that has one still usable."""
        domains = sorted(
            (d for d in self.ledger.hosts[dead].domains if d.kind in self.ledger.promised),
            key=lambda d: (_WIDTH[d.kind], d.name),
        )
        for domain in domains:
            refuge = self.ledger.certificate.refuges.get((domain, server))
            if refuge is not None and self.room.fits(server, refuge):
                return refuge
        return None


def _to_start(server: Server, placement: Placed | Stranded) -> Server:
    return replace(server, placement=placement, seen=Seen.NOWHERE)

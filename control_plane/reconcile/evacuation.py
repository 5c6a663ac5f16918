"""Executes the certificate for fenced hosts: their servers are placed at their refuges.

Nothing is computed where the promise holds. Where it does not (more died than was promised, or a
server had no refuge), the servers with the lowest tier look for room first, and what finds none is
stranded: it waits, visibly, and holds no room.

Hosts that died together are evacuated together, so that the order of tiers holds among all of them.
A site may hold a thousand servers: they are placed in parts, a tick each, so that the next failure
is noticed and others can write meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from control_plane.drivers.world import Clock
from control_plane.model.fence import FenceEvidence
from control_plane.model.host_health import Fenced
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.pool import DomainKind, Host
from control_plane.model.workload import Moving, Placed, Power, Seen, Server, Shelved, Stranded
from control_plane.placement import Refusal, Resettlement
from control_plane.reconcile import narration
from control_plane.reconcile.relocation import Relocation, in_one, in_order, record
from control_plane.reconcile.shelving import put_away
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, Transaction, hosts_of

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
    """`unfinished` are the regions with servers left over from the last call."""

    store: Store
    clock: Clock
    timings: Timings
    unfinished: set[RegionId] = field(default_factory=set)

    def advance(self, hosts: Sequence[Host], lease: Lease) -> dict[RegionId, int]:
        """Give servers of fenced hosts new places, as many as one tick has time for; how many that
        were, by region. What another process was ahead of is left to the next tick."""
        self.unfinished.clear()
        fenced = [host for host in hosts if isinstance(host.health, Fenced)]
        if not fenced:
            return {}
        with self.store.read() as tx:
            for host in fenced:
                if host.region not in self.unfinished:
                    self.unfinished |= {host.region for _ in tx.servers(host=host.id, limit=1)}
        moved: dict[RegionId, int] = {}
        regions = sorted(self.unfinished)
        for region in regions:
            most = max(1, self.timings.servers_per_tick // len(regions))
            with suppress(LostRace):
                moved[region] = in_one(self.store, region, lease, partial(self._some, region, most))
        return {region: count for region, count in moved.items() if count}

    def _some(self, region: RegionId, most: int, tx: Transaction) -> int:
        dead = {
            host.id: host.health.evidence
            for host in tx.hosts(region)
            if isinstance(host.health, Fenced)
        }
        affected = {server.id: server for host in sorted(dead) for server in tx.servers(host=host)}
        some = in_order(affected.values())[:most]
        if some:
            ledger = tx.ledger(region)
            record(tx, ledger, relocations(ledger, some, dead, self.clock.now()))
        left = len(affected) - len(some)
        (self.unfinished.add if left else self.unfinished.discard)(region)
        return len(some)


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
        if server.power is Power.SHELVED and not server.deleting:
            gone = place.put_away_by_fence(evidence)
            return Relocation(_to_start(server, gone), put_away(server, self.at))
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


def _to_start(server: Server, placement: Placed | Stranded | Shelved) -> Server:
    return replace(server, placement=placement, seen=Seen.NOWHERE)

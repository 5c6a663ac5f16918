"""Executes the certificate for fenced hosts: their servers are placed at their refuges.

Nothing is computed where the promise holds: the refuges are those for the failure that took the
hosts (see `failure`). Where it does not (more died than was promised, or a server had no refuge), the
servers with the lowest tier look for room first, and what finds none is stranded: it waits, visibly,
and holds no room.

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
from control_plane.model.pool import Host
from control_plane.model.workload import Moving, Placed, Power, Seen, Server, Shelved, Stranded
from control_plane.placement import Refusal
from control_plane.reconcile import narration
from control_plane.reconcile.evacuation_narration import (
    restarts_at_refuge,
    restarts_where_room_was_found,
)
from control_plane.reconcile.failure import Course, Place, course, lost_hosts
from control_plane.reconcile.relocation import Relocation, in_one, in_order, places_after, record
from control_plane.reconcile.shelving import put_away
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, Transaction

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
        hosts = tx.hosts(region)
        dead = {host.id: host.health.evidence for host in hosts if isinstance(host.health, Fenced)}
        affected = {server.id: server for host in sorted(dead) for server in tx.servers(host=host)}
        some = in_order(affected.values())[:most]
        if some:
            at, ledger = self.clock.now(), tx.ledger(region)
            lost = lost_hosts(hosts, at, self.timings.one_failure)
            apart = {server.id for server in affected.values() if needs_no_place(server)}
            taken = course(ledger, lost, self.timings.one_failure, apart)
            found = relocations(some, dead, taken, at)
            record(tx, ledger, found, taken.agreed(places_after(found)))
        left = len(affected) - len(some)
        (self.unfinished.add if left else self.unfinished.discard)(region)
        return len(some)


def relocations(
    servers: Sequence[Server], dead: _Dead, taken: Course, at: datetime
) -> list[Relocation]:
    """A new place, or none, for each of these servers of dead hosts, in their order."""
    found: dict[ServerId, Relocation] = {}
    seeking: dict[ServerId, Placed] = {}
    for server in servers:
        match server.placement:
            case Moving() as move if not (move.source in dead and move.target in dead):
                found[server.id] = _end_move(server, move, dead, at)
                continue
            case Moving() as move:
                # Both of its hosts died, and both are fenced: it is as if it had arrived.
                place = move.source_fenced(dead[move.source])
            case Placed() as place:
                pass
            case _:
                continue
        if needs_no_place(server):
            gone = place.put_away_by_fence(dead[place.host])
            found[server.id] = Relocation(_to_start(server, gone), put_away(server, at))
        else:
            seeking[server.id] = place
    for server, given in taken.places([s for s in servers if s.id in seeking]):
        place = seeking[server.id]
        found[server.id] = _restart(server, place, given, dead[place.host], at)
    return [found[server.id] for server in servers if server.id in found]


def needs_no_place(server: Server) -> bool:
    """It is to be shelved, and its host's end has stopped it."""
    return server.power is Power.SHELVED and not server.deleting


def _end_move(server: Server, move: Moving, dead: _Dead, at: datetime) -> Relocation:
    """The end that still lives already holds room."""
    if move.source in dead:
        place = move.source_fenced(dead[move.source])
        event = restarts_at_refuge(server, move.source, move.target, at, None)
        return Relocation(_to_start(server, place), event)
    # It runs on at its source, as was seen.
    event = narration.move_given_up(server, move.source, move.target, at)
    return Relocation(replace(server, placement=move.target_fenced(dead[move.target])), event)


def _restart(
    server: Server, place: Placed, given: Place, evidence: FenceEvidence, at: datetime
) -> Relocation:
    if isinstance(given.answer, Refusal):
        en, ja = given.answer.explain_en(), given.answer.explain_ja()
        event = narration.stranded(server, en, ja, at)
        return Relocation(_to_start(server, place.strand(evidence)), event)
    if given.by is not None:
        event = restarts_at_refuge(server, place.host, given.answer, at, given.by)
    else:
        event = restarts_where_room_was_found(server, place.host, given.answer, at, given.missed)
    there = place.evacuate(evidence, given.answer)
    return Relocation(_to_start(server, there), event, takes=given.answer)


def _to_start(server: Server, placement: Placed | Stranded | Shelved) -> Server:
    return replace(server, placement=placement, seen=Seen.NOWHERE)

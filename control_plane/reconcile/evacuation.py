"""Executes the certificate for a fenced host: its servers are placed at their refuges.

Nothing is computed where the promise holds. Where it does not (more died than was promised, or a
server had no refuge), the servers with the lowest tier look for room first, and what finds none is
stranded: it waits, visibly, and holds no room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from control_plane.model.fence import FenceEvidence
from control_plane.model.host_health import Fenced
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.operation import Event
from control_plane.model.pool import DomainKind, FailureDomain, Host
from control_plane.model.units import NOTHING, GiB, Resources
from control_plane.model.workload import Moving, Placed, Placement, Seen, Server, Stranded
from control_plane.placement import Plan, Refusal, plan_admission
from control_plane.reconcile import narration
from control_plane.store import Snapshot, Transaction

_WIDTH = {
    DomainKind.HOST: 0,
    DomainKind.RACK: 1,
    DomainKind.POWER: 2,
    DomainKind.SITE: 3,
    DomainKind.HAZARD: 4,
}


@dataclass(slots=True)
class _Room:
    """What is still free on each host while servers are placed one after another."""

    ledger: Ledger
    used: dict[HostId, Resources] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for workload in self.ledger.workloads.values():
            for host in workload.hosts:
                self.used[host] = self.used.get(host, NOTHING) + workload.size

    def holds(self, workload: LedgerWorkload, host_id: HostId) -> bool:
        """True where the promised refuge can still be taken."""
        host = self.ledger.hosts[host_id]
        free = host.capacity - self.used.get(host_id, NOTHING)
        meets_mate = workload.group is not None and any(
            other.group == workload.group and host_id in other.hosts
            for other in self.ledger.workloads.values()
        )
        return host.standing is Standing.OPEN and workload.size.fits_in(free) and not meets_mate

    def place(self, workload: LedgerWorkload, host: HostId) -> None:
        self.used[host] = self.used.get(host, NOTHING) + workload.size
        workloads = {**self.ledger.workloads, workload.id: replace(workload, hosts=(host,))}
        self.ledger = replace(self.ledger, workloads=workloads)

    def clear(self, servers: Sequence[ServerId]) -> None:
        cleared = {s: replace(self.ledger.workloads[s], hosts=()) for s in servers}
        self.ledger = replace(self.ledger, workloads={**self.ledger.workloads, **cleared})


@dataclass(slots=True)
class _Evacuation:
    """Finds a place for each of one fenced host's servers; nothing is written yet."""

    room: _Room
    evidence: FenceEvidence
    at: datetime
    servers: list[Server] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    touched: dict[HostId, Generation] = field(default_factory=dict)
    refused: dict[LedgerWorkload, Refusal] = field(default_factory=dict)

    def end_move(self, server: Server, move: Moving) -> None:
        """The end that still lives already holds room."""
        dead = self.evidence.host
        if move.source == dead:
            self._decide(server, move.source_fenced(self.evidence))
            event = narration.evacuated(server, dead, move.target, self.at, kept=True)
        else:
            # It runs on at its source, as was seen.
            self.servers.append(replace(server, placement=move.target_fenced(self.evidence)))
            event = narration.move_given_up(server, move.source, move.target, self.at)
        self.events.append(event)

    def restart_elsewhere(self, server: Server, place: Placed) -> None:
        workload = self.room.ledger.workloads[server.id]
        refuge = _refuge(self.room, server, self.evidence.host)
        answer = refuge or self._look_for_room(workload)
        if isinstance(answer, Refusal):
            self._decide(server, place.strand(self.evidence))
            en, ja = answer.explain_en(), answer.explain_ja()
            self.events.append(narration.stranded(server, en, ja, self.at))
            return
        self.room.place(workload, answer)
        self.touched[answer] = self.room.ledger.hosts[answer].generation
        self._decide(server, place.evacuate(self.evidence, answer))
        kept = refuge is not None
        self.events.append(
            narration.evacuated(server, self.evidence.host, answer, self.at, kept=kept)
        )

    def _look_for_room(self, workload: LedgerWorkload) -> HostId | Refusal:
        """Room only shrinks while servers are placed, so what was refused once is refused to the
        next server that asks for the same."""
        if workload.group is not None:
            return _nearest(self.room.ledger, workload)
        alike = replace(workload, id=ServerId(""), owner="", tier=0, disk=GiB(0))
        known = self.refused.get(alike)
        if known is not None:
            return replace(known, workload=workload.id)
        answer = _nearest(self.room.ledger, workload)
        if isinstance(answer, Refusal):
            self.refused[alike] = answer
        return answer

    def _decide(self, server: Server, placement: Placement) -> None:
        self.servers.append(replace(server, placement=placement, seen=Seen.NOWHERE))


def evacuate(tx: Transaction, host: Host, at: datetime) -> int:
    """Give every server of a fenced host a new place, in the caller's transaction.

    Returns how many servers changed. Raises LostRace as the transaction does.
    """
    if not isinstance(host.health, Fenced):
        raise TypeError(f"host {host.id} is not fenced")
    affected = sorted(tx.servers(host=host.id), key=lambda s: (s.tier, s.start_order, s.id))
    if not affected:
        return 0
    room = _Room(tx.ledger(host.region))
    room.clear([s.id for s in affected if isinstance(s.placement, Placed)])
    evacuation = _Evacuation(room, host.health.evidence, at)
    for server in affected:
        match server.placement:
            case Moving() as move:
                evacuation.end_move(server, move)
            case Placed() as place:
                evacuation.restart_elsewhere(server, place)
            case Stranded():
                pass
    # Hosts first and in one call, so that two writers never wait for each other; the journal last,
    # since everybody waits for it.
    tx.guard_hosts(evacuation.touched)
    for server in evacuation.servers:
        tx.save_server(server)
    _drop_refuges(tx, room.ledger, host, {s.id for s in affected})
    for event in evacuation.events:
        tx.add_event(event)
    return len(affected)


def _refuge(room: _Room, server: Server, dead: HostId) -> HostId | None:
    """The refuge promised for the narrowest domain that has one still usable."""
    workload = room.ledger.workloads[server.id]
    domains = sorted(
        (d for d in room.ledger.hosts[dead].domains if d.kind in room.ledger.promised),
        key=lambda d: (_WIDTH[d.kind], d.name),
    )
    for domain in domains:
        refuge = room.ledger.certificate.refuges.get((domain, server.id))
        if refuge is not None and room.holds(workload, refuge):
            return refuge
    return None


def _nearest(ledger: Ledger, workload: LedgerWorkload) -> HostId | Refusal:
    """A host with room: one where the promise goes on to hold if there is one, else any."""
    unplaced = replace(workload, hosts=())
    answer: Plan | Refusal = plan_admission(ledger, [unplaced], advise=False)
    if isinstance(answer, Refusal):
        unpromised = replace(ledger, promised=frozenset(), certificate=Certificate({}))
        answer = plan_admission(unpromised, [unplaced], advise=False)
    return answer if isinstance(answer, Refusal) else answer.hosts[workload.id]


def _drop_refuges(tx: Transaction, ledger: Ledger, host: Host, moved: set[ServerId]) -> None:
    """The servers that moved are unprotected until the pool is certified anew: say so."""
    gone: dict[tuple[FailureDomain, ServerId], HostId | None] = {
        key: None for key in ledger.certificate.refuges if key[1] in moved
    }
    if gone:
        tx.set_refuges(host.region, gone)


def place_for(tx: Snapshot, server: Server) -> tuple[HostId, Generation] | None:
    """A host with room for a stranded server, with the host's generation; None where there is none."""
    ledger = tx.ledger(tx.system(server.system).region)
    answer = _nearest(ledger, ledger.workloads[server.id])
    return None if isinstance(answer, Refusal) else (answer, ledger.hosts[answer].generation)


def rehome(tx: Transaction, server: Server, at: datetime) -> HostId | None:
    """Place a stranded server where there is room now, in the caller's transaction; None when there
    is still none."""
    if not isinstance(server.placement, Stranded):
        raise TypeError(f"server {server.id} is not stranded")
    found = place_for(tx, server)
    if found is None:
        return None
    host, generation = found
    tx.guard_hosts({host: generation})
    tx.save_server(replace(server, placement=server.placement.rehome(host)))
    tx.add_event(narration.rehomed(server, host, at))
    return host

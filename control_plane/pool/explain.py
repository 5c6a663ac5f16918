"""Answers "what would happen if": the plan or the refusal, with nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from control_plane.model.ids import FlavorId, HostId, RegionId, ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.pool import Duty, Zone
from control_plane.model.workload import Placed
from control_plane.placement import (
    Plan,
    Refusal,
    apply,
    plan_admission,
    plan_move,
    recertify,
    with_holdings,
)
from control_plane.pool.certificate import refusal_out
from control_plane.pool.certificate_change import certificate_between
from control_plane.pool.models import (
    DrainPlan,
    ExplainIn,
    ExplainOut,
    Move,
    RefugeOut,
    RefuseOut,
    Spot,
)
from control_plane.pool.plan import Cost, replaced
from control_plane.store import Snapshot


def explain_admission(tx: Snapshot, question: ExplainIn) -> ExplainOut:
    """Would `count` servers of the flavor fit? Raises `region-not-found`, `flavor-not-found`."""
    ledger = tx.ledger(RegionId(question.region))
    flavor = tx.flavor(FlavorId(question.flavor))
    new = [
        LedgerWorkload(
            # No server is named like this: names hold no colon.
            id=ServerId(f"new:{number}"),
            owner="new",
            size=flavor.size,
            disk=flavor.disk,
            zone=Zone(question.zone),
            tier=9,
            storage=None,
        )
        for number in range(1, question.count + 1)
    ]
    answer = plan_admission(ledger, new)
    return ExplainOut(
        region=question.region,
        flavor=question.flavor,
        zone=question.zone,
        count=question.count,
        fits=isinstance(answer, Plan),
        servers=spots(answer, (w.id for w in new)) if isinstance(answer, Plan) else [],
        refusal=refusal_out(answer) if isinstance(answer, Refusal) else None,
    )


def spots(plan: Plan, servers: Iterable[ServerId]) -> list[Spot]:
    """Where each of these servers goes by the plan, with its refuges."""
    return [
        Spot(
            server=server,
            host=plan.hosts[server],
            storage=plan.storage[server],
            refuges=refuges_of(plan, server),
        )
        for server in servers
    ]


def refuges_of(plan: Plan, server: ServerId) -> list[RefugeOut]:
    return [
        RefugeOut(failure=str(failure), host=refuge)
        for (failure, protected), refuge in sorted(plan.refuges.items(), key=lambda item: item[0])
        if protected == server and refuge is not None
    ]


def _closed(ledger: Ledger, host: HostId) -> Ledger:
    """As it will be during the drain: nobody takes refuge on the host."""
    closing = replace(ledger.hosts[host], standing=Standing.CLOSED)
    return replace(ledger, hosts={**ledger.hosts, host: closing})


def explain_drain(tx: Snapshot, host_id: HostId) -> DrainPlan:
    """Where the host's servers would go one after another. Raises `host-not-found`."""
    host = tx.host(host_id)
    before = tx.ledger(host.region)
    ledger = _closed(before, host_id)
    diff = [replaced(f"/hosts/{host_id}/duty", host.duty.value, Duty.MAINTENANCE.value)]
    moves: list[Move] = []
    stuck: list[RefuseOut] = []
    staying = sorted(
        (s for s in tx.servers(host=host_id) if s.placement == Placed(host_id)),
        key=lambda server: (-server.tier, server.id),
    )
    for server in staying:
        answer = plan_move(ledger, server.id)
        if isinstance(answer, Refusal):
            stuck.append(refusal_out(answer))
        else:
            target = answer.hosts[server.id]
            moves.append(Move(server=server.id, target=target))
            diff.append(replaced(f"/servers/{server.name}/host", host_id, target))
            ledger = apply(ledger, answer)
    return DrainPlan(
        host=host_id,
        moves=moves,
        stuck=stuck,
        diff=diff,
        certificate=certificate_between(before, _proved(_arrived(ledger, moves))),
        capacity=Cost(vcpus=host.capacity.vcpu, memory_mib=host.capacity.memory, disk_gib=0),
    )


def _arrived(ledger: Ledger, moves: Iterable[Move]) -> Ledger:
    there = {
        ServerId(move.server): replace(
            ledger.workloads[ServerId(move.server)], hosts=(HostId(move.target),)
        )
        for move in moves
    }
    return replace(ledger, workloads={**ledger.workloads, **there})


def _proved(ledger: Ledger) -> Ledger:
    """As certification would leave it."""
    found = recertify(ledger)
    held = with_holdings(ledger, found.holdings)
    return replace(held, certificate=Certificate(found.refuges))

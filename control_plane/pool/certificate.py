"""The certificate as operators read it: is it valid, what is uncovered and why, what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from control_plane.model.ids import RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.pool import FailureDomain
from control_plane.model.units import NOTHING
from control_plane.placement import (
    Refusal,
    UnderWay,
    check,
    holdings,
    recertify,
    reserve,
    under_way,
    unproved,
)
from control_plane.pool.holdings import worst_failures
from control_plane.pool.hosts import size_out
from control_plane.pool.models import (
    CertificateOut,
    Holdings,
    HostReserve,
    RefuseOut,
    Reserve,
    UnderWayOut,
    Unproved,
    ViolationOut,
)
from control_plane.store import Snapshot


def show_certificate(tx: Snapshot, region: RegionId, at: datetime) -> CertificateOut:
    """Checked anew each time, by the checker that shares no code with the planner. Raises
    `region-not-found`."""
    ledger = tx.ledger(region)
    violations = check(ledger)
    meanwhile = under_way(ledger)
    kept = reserve(ledger)
    worst = worst_failures(ledger)
    held = holdings(ledger)
    return CertificateOut(
        region=region,
        valid=not violations and (meanwhile is None or meanwhile.survives_next),
        promised=sorted(ledger.promised),
        servers=len(ledger.workloads) - len(held),
        refuges=len(ledger.certificate.refuges),
        violations=[ViolationOut(en=v.explain_en(), ja=v.explain_ja()) for v in violations],
        uncovered=[refusal_out(refusal) for refusal in _uncovered(ledger, meanwhile)],
        reserve=Reserve(
            total=size_out(kept.reserved),
            hosts_worth=round(kept.hosts_worth, 2),
            by_host=[
                HostReserve(host=host, failure=str(worst[host]), reserve=size_out(size))
                for host, size in kept.by_host.items()
            ],
        ),
        holdings=Holdings(
            count=len(held),
            total=size_out(sum((holding.size for holding in held), NOTHING)),
            unproved=[
                Unproved(tenant=tenant, **dict(lacking))
                for tenant, lacking in unproved(ledger).items()
            ],
        ),
        checked_at=at,
        under_way=None if meanwhile is None else _under_way_out(meanwhile),
    )


def _uncovered(ledger: Ledger, meanwhile: UnderWay | None) -> Iterable[Refusal]:
    """Each server once for each failure."""
    then = () if meanwhile is None else meanwhile.uncovered
    found: dict[tuple[FailureDomain | None, ServerId], Refusal] = {}
    for refusal in (*recertify(ledger).uncovered, *then):
        found.setdefault((refusal.failure, refusal.workload), refusal)
    return found.values()


def _under_way_out(failure: UnderWay) -> UnderWayOut:
    proved = failure.survives_next
    return UnderWayOut(
        hosts=list(failure.hosts),
        servers=failure.servers,
        survives_next=proved,
        en=None if proved else failure.explain_en(),
        ja=None if proved else failure.explain_ja(),
    )


def refusal_out(refusal: Refusal) -> RefuseOut:
    return RefuseOut(
        failure=None if refusal.failure is None else str(refusal.failure),
        server=refusal.workload,
        resource=refusal.resource,
        nearest=refusal.nearest,
        shortfall=refusal.shortfall,
        unit=refusal.unit,
        proof=refusal.proof.value,
        en=refusal.explain_en(),
        ja=refusal.explain_ja(),
    )

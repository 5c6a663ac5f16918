"""What becomes of a region's promise by a change: worked out apart from how it is shown, since whoever
only reads a rehearsal's answer needs no planner."""

from __future__ import annotations

from control_plane.model.ledger import Ledger
from control_plane.placement import Plan, apply, check, reserve, under_way
from control_plane.placement.reserve import Reserve
from control_plane.pool.plan import CertificateChange


def certificate_change(ledger: Ledger, plan: Plan | None) -> CertificateChange:
    """`plan` None: neither a place nor a refuge changes."""
    after = ledger if plan is None else apply(ledger, plan)
    return _certificate(ledger, after, 0 if plan is None else len(plan.refuges))


def certificate_between(before: Ledger, after: Ledger) -> CertificateChange:
    standing, then = before.certificate.refuges, after.certificate.refuges
    changed = sum(standing.get(key) != then.get(key) for key in standing.keys() | then.keys())
    return _certificate(before, after, changed)


def _certificate(before: Ledger, after: Ledger, refuges_changed: int) -> CertificateChange:
    meanwhile = under_way(after)
    return CertificateChange(
        valid=not check(after) and (meanwhile is None or meanwhile.survives_next),
        refuges_changed=refuges_changed,
        reserve_hosts_before=_worth(reserve(before)),
        reserve_hosts_after=_worth(reserve(after)),
    )


def _worth(kept: Reserve) -> float:
    return round(kept.hosts_worth, 2)

"""Renews a region's certificate after its hosts have changed."""

from __future__ import annotations

from collections.abc import Iterator

from control_plane.admission.commit import guard
from control_plane.admission.settle import settle
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.pool import FailureDomain
from control_plane.placement import Recertification, arranged_for_the_next, recertify
from control_plane.store import Lease, LostRace, Store, Transaction


def certify(store: Store, region: RegionId, lease: Lease | None) -> Recertification:
    """Find a refuge for every server and every promised failure domain anew, keep what was found,
    and answer with it and with what no refuge was found for. While a failure is under way, refuges
    that hold before and after it are preferred.

    Raises `region-not-found`, LeaseLost, and LostRace when the region never comes to rest.
    """

    def keep(
        tx: Transaction, then: Ledger, now: Ledger, answer: Recertification
    ) -> Recertification:
        # The answer speaks of the whole region, so all of it must still be as it was.
        if then != now:
            raise LostRace(f"region {region}")
        changes = _changes(now, answer)
        moved = {host for name in answer.holdings for host in _hosts(now, answer, name)}
        guard(tx, now, moved, changes)
        tx.set_holdings(region, answer.holdings)
        tx.set_refuges(region, changes)
        return answer

    return settle(store, region, lambda tx: tx.ledger(region), _proof, keep, lease=lease)


def _proof(ledger: Ledger) -> Recertification:
    return arranged_for_the_next(ledger, recertify(ledger))


def _hosts(ledger: Ledger, answer: Recertification, name: ServerId) -> Iterator[HostId]:
    for holding in (ledger.workloads.get(name), answer.holdings[name]):
        yield from () if holding is None else holding.hosts


def _changes(
    ledger: Ledger, answer: Recertification
) -> dict[tuple[FailureDomain, ServerId], HostId | None]:
    standing = ledger.certificate.refuges
    changes: dict[tuple[FailureDomain, ServerId], HostId | None] = {
        key: None for key in standing if key not in answer.refuges
    }
    changes.update((key, host) for key, host in answer.refuges.items() if standing.get(key) != host)
    return changes

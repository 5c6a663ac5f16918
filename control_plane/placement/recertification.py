"""Proves a region anew: a refuge for every workload on every promised domain, where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.pool import FailureDomain
from control_plane.placement.board import Board
from control_plane.placement.budget import Budget, rehearsal
from control_plane.placement.certificate import missing, open_board, refuges
from control_plane.placement.diagnosis import why_no_refuge
from control_plane.placement.guarantees import place_holdings
from control_plane.placement.holdings import (
    HoldingChanges,
    holdings,
    misplaced,
    pieces,
    unproved,
    with_holdings,
    without_holdings,
)
from control_plane.placement.refuges import Outcome, cover_most, mend, place
from control_plane.placement.refusal import Proof, Refusal
from control_plane.placement.remedies import more_hosts

_EXPLAINED_AT_MOST = 3
"""Domains for which remedies are sought; the others' refusals stand without."""


@dataclass(frozen=True, slots=True)
class Recertification:
    """`refuges` is the whole certificate, without entries that say nothing any more. `uncovered`
    holds one refusal for every workload and domain without a refuge, by domain, tier and id;
    `PROVED_IMPOSSIBLE` there says that the domain's workloads can't all have one. `holdings` are
    what changes of the room that is kept for guarantees, and `short` is what of each owner's
    guarantee found no room."""

    refuges: Mapping[tuple[FailureDomain, ServerId], HostId]
    uncovered: tuple[Refusal, ...]
    holdings: HoldingChanges = field(default_factory=dict)
    short: Mapping[str, Capacity] = field(default_factory=dict)


def recertify(ledger: Ledger) -> Recertification:
    """Keeps every refuge that still holds, and finds the others. Where a domain's workloads can't
    all have one, the lowest tiers do.

    Holdings that lost their place are placed anew, and give way where a server has no refuge
    because of them."""
    if not ledger.guaranteed and not holdings(ledger):
        return _recertify(ledger)
    standing = with_holdings(ledger, misplaced(ledger))
    answer = _recertify(standing)
    if answer.uncovered and holdings(standing):
        bare = without_holdings(standing)
        without = _recertify(bare)
        servers = [r for r in answer.uncovered if not ledger.workloads[r.workload].holding]
        if len(servers) < len(answer.uncovered) or len(without.uncovered) < len(servers):
            standing, answer = bare, without
    standing = _on_open_hosts(replace(standing, certificate=Certificate(answer.refuges)))
    new = [
        piece
        for owner, lacking in unproved(standing).items()
        for piece in pieces(standing, owner, lacking)
    ]
    after, _ = place_holdings(standing, new)
    before, now = _by_id(ledger), _by_id(after)
    return Recertification(
        after.certificate.refuges,
        answer.uncovered,
        {
            name: now.get(name)
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        },
        unproved(after),
    )


def _on_open_hosts(ledger: Ledger) -> Ledger:
    """With no holding left on a host that takes nothing more, if there is room for them elsewhere.
    Otherwise they stay: their refuges hold should that host die, and it may soon be well again."""
    leaving = {
        holding.id: replace(holding, hosts=(), storage=None)
        for holding in holdings(ledger)
        if any(ledger.hosts[host].standing is Standing.CLOSED for host in holding.hosts)
    }
    if not leaving:
        return ledger
    loose = with_holdings(ledger, dict.fromkeys(leaving))
    after, left = place_holdings(loose, list(leaving.values()))
    return ledger if left else after


def _by_id(ledger: Ledger) -> dict[ServerId, LedgerWorkload]:
    return {holding.id: holding for holding in holdings(ledger)}


def _recertify(ledger: Ledger) -> Recertification:
    board = open_board(ledger)
    left = _complete(board, Budget(solver=2.0))
    uncovered: list[Refusal] = []
    budget = rehearsal()
    for explained, (domain, (numbers, proof)) in enumerate(left.items()):
        order = sorted(numbers, key=lambda n: (board.workloads[n].tier, board.workloads[n].id))
        found = [why_no_refuge(board, domain, number, proof) for number in order]
        if explained < _EXPLAINED_AT_MOST:
            first = board.workloads[order[0]]
            remedy = more_hosts(ledger, first, found[0], _Covers(board.domains[domain], budget))
            found = [replace(refusal, remedies=remedy) for refusal in found]
        uncovered += found
    return Recertification(refuges(board), tuple(uncovered))


def _complete(board: Board, budget: Budget) -> dict[int, tuple[list[int], Proof]]:
    """Fill every hole that can be filled; answers what is left, by domain."""
    left = {}
    for domain, numbers in missing(board).items():
        outcome = mend(board, domain, numbers, budget)
        if outcome is Outcome.COVERED:
            continue
        without = cover_most(board, domain, numbers, budget)
        # Better the source of a move that is about to close than no refuge at all.
        for number in list(without):
            if survivors := board.survivors(domain, number):
                board.set_refuge(domain, number, survivors[0])
                without.remove(number)
        if without:
            proved = outcome is Outcome.IMPOSSIBLE
            proof = Proof.PROVED_IMPOSSIBLE if proved else Proof.SEARCH_BUDGET_SPENT
            left[domain] = (without, proof)
    return left


def fill_holes(board: Board) -> None:
    """The cheap part of it, for a board that is about to be changed: what has no refuge takes one
    that is free, so that a new server does not take it first."""
    for domain, numbers in missing(board).items():
        for number in numbers:
            place(board, domain, number)


@dataclass(frozen=True, slots=True)
class _Covers:
    """True of ledgers on which all workloads of the domain find a refuge."""

    failure: FailureDomain
    budget: Budget

    def __call__(self, ledger: Ledger) -> bool:
        board = open_board(ledger)
        domain = board.domain_no[self.failure]
        numbers = missing(board).get(domain, [])
        return mend(board, domain, numbers, self.budget) is Outcome.COVERED

"""Admits workloads, all or none, with a refuge for each on every promised domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.placement.arrival import Arrival, StorageRoom, settle
from control_plane.placement.board import Board
from control_plane.placement.budget import Budget, rehearsal
from control_plane.placement.certificate import open_board, plan_of
from control_plane.placement.diagnosis import why_no_host
from control_plane.placement.exact import Verdict
from control_plane.placement.guarantees import keeping_guarantees
from control_plane.placement.holdings import given_up, with_holdings
from control_plane.placement.move import begin_move
from control_plane.placement.plan import Plan
from control_plane.placement.recertification import fill_holes
from control_plane.placement.refuges import Outcome, largest_first
from control_plane.placement.refusal import Proof, Refusal
from control_plane.placement.remedies import more_hosts, one_move, smaller
from control_plane.placement.remedy import Remedy
from control_plane.placement.whole import place_all

_ORDERS_TRIED = 4


def plan_admission(
    ledger: Ledger, new: Sequence[LedgerWorkload], *, advise: bool = True
) -> Plan | Refusal:
    """A host, a storage pool and every refuge for all of `new`, or the reason why not.

    Servers that run are not moved; their refuges may be. What the ledger promises already stays
    promised, and what has no refuge in it takes a free one before `new` does. Workloads that the
    ledger knows as holding no host (stranded ones) keep their storage pool. Without `advise` a
    refusal carries no remedies, which take planning of their own to find.

    What is guaranteed to the owners of `new` is there for them: their holdings give way to it, and
    those of others are placed anew where that is what it takes.

    Raises ValueError when `new` names a workload twice, or one that holds a host.
    """
    _check(ledger, new)

    def together(loose: Ledger, others: Sequence[LedgerWorkload]) -> Plan | Refusal:
        return admit(loose, [*new, *others], Budget())

    answer = keeping_guarantees(ledger, given_up(ledger, new), together)
    if isinstance(answer, Plan) or not advise:
        return answer
    return replace(answer, remedies=_remedies(ledger, new, answer))


def _admit_within(ledger: Ledger, new: Sequence[LedgerWorkload], budget: Budget) -> Plan | Refusal:
    """With the owners' holdings out of the way, and all others where they are."""
    return admit(with_holdings(ledger, given_up(ledger, new)), new, budget)


def _check(ledger: Ledger, new: Sequence[LedgerWorkload]) -> None:
    names = [workload.id for workload in new]
    if len(set(names)) < len(names):
        raise ValueError("a workload is named twice in one admission")
    for workload in new:
        known = ledger.workloads.get(workload.id)
        if workload.hosts or (known is not None and known.hosts):
            raise ValueError(f"workload {workload.id} holds a host already")


def admit(ledger: Ledger, new: Sequence[LedgerWorkload], budget: Budget) -> Plan | Refusal:
    """`plan_admission` within a budget of one's own, and without remedies."""
    board = open_board(ledger)
    fill_holes(board)
    numbers = board.add_new(_with_known_storage(ledger, new))
    order = largest_first(board, numbers)
    if _too_little(board, numbers):
        return _explain(board, order, Proof.PROVED_IMPOSSIBLE)
    stuck, outcome = _settle_each(board, order, budget)
    for _ in range(min(_ORDERS_TRIED, len(numbers)) - 1):
        if stuck is None or stuck == order[0]:
            break
        order = [stuck, *(number for number in order if number != stuck)]
        stuck, outcome = _settle_each(board, order, budget)
    if stuck is None:
        return plan_of(board, numbers)
    if stuck == order[0] and outcome is Outcome.IMPOSSIBLE:
        # It was the first to be settled, so it finds no place even alone.
        alone = _arrival(board, stuck, StorageRoom(board, {}))
        return why_no_host(board, alone, Proof.PROVED_IMPOSSIBLE)
    room = StorageRoom(board, {})
    verdict = place_all(board, [_arrival(board, number, room) for number in numbers], budget)
    if verdict is Verdict.FOUND:
        return plan_of(board, numbers)
    proved = verdict is Verdict.NONE
    proof = Proof.PROVED_IMPOSSIBLE if proved else Proof.SEARCH_BUDGET_SPENT
    return _explain(board, order, proof)


def _with_known_storage(ledger: Ledger, new: Sequence[LedgerWorkload]) -> list[LedgerWorkload]:
    """Stranded workloads come with the pool that holds their disk, whatever the caller says."""
    found = []
    for workload in sorted(new, key=lambda workload: workload.id):
        known = ledger.workloads.get(workload.id)
        pool = workload.storage if known is None or known.storage is None else known.storage
        found.append(replace(workload, storage=pool))
    return found


def _arrival(board: Board, number: int, room: StorageRoom) -> Arrival:
    return Arrival(number, room.pools_for(number), np.ones(len(board.hosts), dtype=np.bool_))


def _settle_each(board: Board, order: Sequence[int], budget: Budget) -> tuple[int | None, Outcome]:
    """Settle all in this order, or leave the board as it was and answer the first that found no
    place."""
    mark = board.mark()
    before = {number: board.workloads[number].storage for number in order}
    room = StorageRoom(board, {})
    for number in order:
        outcome = settle(board, _arrival(board, number, room), budget)
        if outcome is not Outcome.COVERED:
            board.roll_back(mark)
            for each, pool in before.items():
                board.choose_storage(each, pool)
            return number, outcome
        room.take(number)
    return None, Outcome.COVERED


def _too_little(board: Board, numbers: Sequence[int]) -> bool:
    """True where the sums alone forbid it: whether a new workload lands inside a domain (and then
    needs a refuge outside) or outside (and then takes room there), it comes on top of what the
    domain's workloads need outside of it."""
    new = board.size[numbers].sum(axis=0)
    free = np.where(board.eligibility.open[:, None], np.maximum(board.free, 0), 0)
    if (new > free.sum(axis=0)).any():
        return True
    outside = free.sum(axis=0) - board.members.astype(np.int64) @ free
    return bool((board.reserve.sum(axis=1) + new > outside).any())


def _explain(board: Board, order: Sequence[int], proof: Proof) -> Refusal:
    """The first workload that finds no place when all are given theirs without rearranging."""
    room = StorageRoom(board, {})
    for number in order:
        arrival = _arrival(board, number, room)
        if settle(board, arrival, Budget(solver=0, repairs=0)) is not Outcome.COVERED:
            return why_no_host(board, arrival, proof)
        room.take(number)
    raise AssertionError("everything was settled after all")


def _remedies(
    ledger: Ledger, new: Sequence[LedgerWorkload], refusal: Refusal
) -> tuple[Remedy, ...]:
    """Each was planned through: with it, all of `new` is admitted."""
    refused = next(workload for workload in new if workload.id == refusal.workload)
    others = [workload for workload in new if workload.id != refusal.workload]

    budget = rehearsal()

    def fits(changed: Ledger) -> bool:
        return isinstance(_admit_within(changed, new, budget), Plan)

    def fits_smaller(workload: LedgerWorkload) -> bool:
        return isinstance(_admit_within(ledger, [*others, workload], budget), Plan)

    def move(changed: Ledger, server: ServerId, target: HostId | None) -> Plan | Refusal:
        return begin_move(changed, server, target, budget)

    return (
        *one_move(ledger, refusal, move, fits),
        *smaller(refused, refusal, fits_smaller),
        *more_hosts(ledger, refused, refusal, fits),
    )

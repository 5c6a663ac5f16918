"""Plans another size for a server, where it stands or elsewhere, with everybody's promise kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.model.units import GiB, Resources
from control_plane.placement.arrival import Arrival, settle
from control_plane.placement.board import Board
from control_plane.placement.budget import Budget, rehearsal
from control_plane.placement.certificate import open_board, plan_of
from control_plane.placement.diagnosis import why_no_host
from control_plane.placement.exact import Verdict
from control_plane.placement.guarantees import keeping_guarantees
from control_plane.placement.holdings import taken_for
from control_plane.placement.move import begin_move
from control_plane.placement.plan import Plan
from control_plane.placement.recertification import fill_holes
from control_plane.placement.refuges import Outcome
from control_plane.placement.refusal import Proof, Refusal
from control_plane.placement.remedies import more_hosts, one_move
from control_plane.placement.remedy import Remedy
from control_plane.placement.whole import place_all


def plan_resize(
    ledger: Ledger, server: ServerId, size: Resources, *, advise: bool = True
) -> Plan | Refusal:
    """Its host once more, and every refuge, for the server at `size`; or why that can't be kept.

    Its disk and its storage pool stay as they are. Without `advise` a refusal carries no remedies.
    Raises ValueError unless the server holds exactly one host.
    """
    standing = ledger.workloads[server]
    more = Capacity.of(size, GiB(0)).beyond(Capacity.of(standing.size, GiB(0)))

    def alone(changed: Ledger, _: Sequence[LedgerWorkload]) -> Plan | Refusal:
        return begin_resize(changed, server, size, Budget())

    answer = keeping_guarantees(ledger, taken_for(ledger, standing.owner, more), alone)
    if isinstance(answer, Plan) or not advise:
        return answer
    budget = rehearsal()
    workload = replace(ledger.workloads[server], size=size, hosts=())

    def fits(changed: Ledger) -> bool:
        return isinstance(begin_resize(changed, server, size, budget), Plan)

    def move(changed: Ledger, other: ServerId, to: HostId | None) -> Plan | Refusal:
        return begin_move(changed, other, to, budget)

    remedies: tuple[Remedy, ...] = (
        *one_move(ledger, answer, move, fits),
        *more_hosts(ledger, workload, answer, fits),
    )
    return replace(answer, remedies=remedies)


def growth_of(server: ServerId) -> ServerId:
    """What the room is called that is kept for the server while it moves to be resized. It holds a
    colon, which no server's name does."""
    return ServerId(f"{server}:growth")


def plan_resize_elsewhere(
    ledger: Ledger, server: ServerId, size: Resources, more_disk: GiB
) -> Plan | Refusal:
    """Another host for the server at `size`, beside where it is now, with every refuge. The plan names
    that room (`growth_of`); until the server has moved there, it keeps its own too.

    Of a resource that it is to have less of, room is kept for what it has, since it arrives so. Raises
    ValueError unless the server holds exactly one host.
    """
    standing = ledger.workloads[server]
    arriving = Capacity.of(size, GiB(0)).or_more(Capacity.of(standing.size, GiB(0))).size
    room = replace(
        standing,
        id=growth_of(server),
        size=arriving,
        disk=more_disk,
        hosts=(),
        grows=server,
    )
    more = Capacity.of(arriving, more_disk).beyond(Capacity.of(standing.size, GiB(0)))

    def alone(changed: Ledger, _: Sequence[LedgerWorkload]) -> Plan | Refusal:
        return _begin_elsewhere(changed, server, room, Budget())

    return keeping_guarantees(ledger, taken_for(ledger, standing.owner, more), alone)


def _begin_elsewhere(
    ledger: Ledger, server: ServerId, room: LedgerWorkload, budget: Budget
) -> Plan | Refusal:
    hosts = ledger.workloads[server].hosts
    if len(hosts) != 1:
        raise ValueError(f"server {server} does not hold exactly one host")
    board = open_board(ledger)
    fill_holes(board)
    (number,) = board.add_new([room])
    targets = np.ones(len(board.hosts), dtype=np.bool_)
    targets[board.host_no[hosts[0]]] = False
    return _settled(board, Arrival(number, (room.storage,), targets), budget)


def begin_resize(
    ledger: Ledger, server: ServerId, size: Resources, budget: Budget
) -> Plan | Refusal:
    """`plan_resize` within a budget of one's own, and without remedies."""
    workload = ledger.workloads[server]
    if len(workload.hosts) != 1:
        raise ValueError(f"server {server} does not hold exactly one host")
    (host,) = workload.hosts
    # As if it arrived anew, at the one host that it may go to.
    without = replace(workload, size=size, hosts=())
    board = open_board(replace(ledger, workloads={**ledger.workloads, server: without}))
    fill_holes(board)
    (number,) = board.add_new([without])
    targets = np.zeros(len(board.hosts), dtype=np.bool_)
    targets[board.host_no[host]] = True
    return _settled(board, Arrival(number, (workload.storage,), targets), budget)


def _settled(board: Board, arrival: Arrival, budget: Budget) -> Plan | Refusal:
    outcome = settle(board, arrival, budget)
    if outcome is Outcome.COVERED:
        return plan_of(board, [arrival.number])
    if outcome is Outcome.UNKNOWN:
        verdict = place_all(board, [arrival], budget)
        if verdict is Verdict.FOUND:
            return plan_of(board, [arrival.number])
        if verdict is Verdict.NONE:
            outcome = Outcome.IMPOSSIBLE
    proved = outcome is Outcome.IMPOSSIBLE
    proof = Proof.PROVED_IMPOSSIBLE if proved else Proof.SEARCH_BUDGET_SPENT
    return why_no_host(board, arrival, proof)

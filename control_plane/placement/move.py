"""Plans a live migration that weakens nobody's promise, neither on the way nor after it arrived.

Until it has arrived, the server holds room on both hosts: should the source die, it goes on at the
target, and the other way about. For the domains of the target it gets, already now, a refuge for the
time after its arrival. So the certificate holds before, during and after, whichever way it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.placement.arrival import Arrival, settle
from control_plane.placement.board import NOWHERE
from control_plane.placement.budget import Budget, rehearsal
from control_plane.placement.certificate import open_board, plan_of
from control_plane.placement.diagnosis import why_no_host
from control_plane.placement.exact import Verdict
from control_plane.placement.guarantees import keeping_guarantees
from control_plane.placement.plan import Plan
from control_plane.placement.recertification import fill_holes
from control_plane.placement.refuges import Outcome
from control_plane.placement.refusal import Proof, Refusal
from control_plane.placement.remedies import more_hosts, one_move
from control_plane.placement.remedy import Remedy
from control_plane.placement.whole import place_all


def plan_move(
    ledger: Ledger, server: ServerId, *, target: HostId | None = None, advise: bool = True
) -> Plan | Refusal:
    """Where the server can migrate to (or whether it can to `target`) with every refuge kept.

    In the plan it holds its source, then its target. Without `advise` a refusal carries no
    remedies. Raises `server-not-found`, `host-not-found`, `server-not-movable` (it is migrating, or
    holds no host) and `server-already-there`.
    """
    _check(ledger, server, target)

    def alone(changed: Ledger, _: Sequence[LedgerWorkload]) -> Plan | Refusal:
        return begin_move(changed, server, target, Budget())

    answer = keeping_guarantees(ledger, {}, alone)
    if isinstance(answer, Plan) or not advise:
        return answer

    budget = rehearsal()

    def fits(changed: Ledger) -> bool:
        return isinstance(begin_move(changed, server, target, budget), Plan)

    def move(changed: Ledger, other: ServerId, to: HostId | None) -> Plan | Refusal:
        return begin_move(changed, other, to, budget)

    workload = ledger.workloads[server]
    remedies: tuple[Remedy, ...] = (
        *one_move(ledger, answer, move, fits),
        *more_hosts(ledger, workload, answer, fits),
    )
    return replace(answer, remedies=remedies)


def begin_move(
    ledger: Ledger, server: ServerId, target: HostId | None, budget: Budget
) -> Plan | Refusal:
    """`plan_move` within a budget of one's own, of a server that holds one host."""
    board = open_board(ledger)
    fill_holes(board)
    number = board.server_no[server]
    for domain in board.stands_on(number):
        board.set_refuge(domain, number, NOWHERE)
    targets = np.full(len(board.hosts), target is None, dtype=np.bool_)
    if target is not None:
        targets[board.host_no[target]] = True
    targets[list(board.holders[number])] = False
    arrival = Arrival(number, (board.workloads[number].storage,), targets)
    outcome = settle(board, arrival, budget)
    if outcome is Outcome.COVERED:
        return plan_of(board, [number])
    if outcome is Outcome.UNKNOWN:
        verdict = place_all(board, [arrival], budget)
        if verdict is Verdict.FOUND:
            return plan_of(board, [number])
        if verdict is Verdict.NONE:
            outcome = Outcome.IMPOSSIBLE
    proved = outcome is Outcome.IMPOSSIBLE
    proof = Proof.PROVED_IMPOSSIBLE if proved else Proof.SEARCH_BUDGET_SPENT
    return why_no_host(board, arrival, proof)


def _check(ledger: Ledger, server: ServerId, target: HostId | None) -> None:
    workload = ledger.workloads.get(server)
    if workload is None:
        raise YuiError(
            "server-not-found",
            en=f"There is no server '{server}' in region '{ledger.region}': look it up with its id.",
            ja=f"リージョン「{ledger.region}」にサーバー「{server}」はありません。IDを確認してください。",
            status=404,
            fields={"server": server},
        )
    if target is not None and target not in ledger.hosts:
        raise YuiError(
            "host-not-found",
            en=f"There is no host '{target}' in region '{ledger.region}': choose one of its hosts.",
            ja=f"リージョン「{ledger.region}」にホスト「{target}」はありません。リージョン内のホストを指定してください。",
            status=404,
            fields={"host": target},
        )
    if len(workload.hosts) != 1:
        raise YuiError(
            "server-not-movable",
            en=f"Server '{server}' does not run on exactly one host, so it cannot be moved now: wait until its migration or its restart has ended.",
            ja=f"サーバー「{server}」は移動中または停止中のため、今は移動できません。移行または再起動が終わるまでお待ちください。",
            status=409,
            fields={"server": server},
        )
    if target == workload.hosts[0]:
        raise YuiError(
            "server-already-there",
            en=f"Server '{server}' runs on host '{target}' already: choose another host.",
            ja=f"サーバー「{server}」はすでにホスト「{target}」で動いています。別のホストを指定してください。",
            status=409,
            fields={"server": server, "host": target},
        )

"""Plans so that whatever is guaranteed and not used goes on to be held.

Holdings stand where they are as long as that does no harm. Where something else is refused, it is
planned once more with all of them out of the way, and then they are placed anew: nothing runs in
them, so that moving them costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.placement.arrival import Arrival, StorageRoom, settle
from control_plane.placement.budget import Budget
from control_plane.placement.certificate import open_board, plan_of
from control_plane.placement.holdings import (
    HoldingChanges,
    capacity_of,
    holdings,
    pieces,
    used,
    with_holdings,
    without_holdings,
)
from control_plane.placement.plan import Plan, apply
from control_plane.placement.refuges import Outcome, largest_first
from control_plane.placement.refusal import Refusal

Decide = Callable[[Ledger, Sequence[LedgerWorkload]], Plan | Refusal]
"""Plans what is asked for; where it can, together with these holdings."""

_TOGETHER_AT_MOST = 60
"""So many holdings are placed in one search with what is asked for."""


def keeping_guarantees(ledger: Ledger, gone: HoldingChanges, decide: Decide) -> Plan | Refusal:
    """What `decide` plans once the holdings have changed as `gone` says, as one plan of `ledger`. A
    refusal is the one that stands with all other holdings where they are."""
    given = with_holdings(ledger, gone)
    answer = decide(given, ())
    if isinstance(answer, Plan):
        return _joined(ledger, gone, answer)
    loose = without_holdings(given)
    homeless = [replace(h, hosts=(), storage=None) for h in holdings(given)]
    if not homeless:
        return answer
    freed = decide(loose, ())
    if isinstance(freed, Refusal):
        return answer
    after, left = place_holdings(apply(loose, freed), homeless)
    if not left:
        return _between(ledger, after, freed)
    if len(homeless) <= _TOGETHER_AT_MOST:
        whole = decide(loose, homeless)
        # A planner of one thing alone answers as before.
        if isinstance(whole, Plan) and all(h.id in whole.workloads for h in homeless):
            return _between(ledger, apply(loose, whole), whole)
    return answer


def place_holdings(
    ledger: Ledger, homeless: Sequence[LedgerWorkload]
) -> tuple[Ledger, list[LedgerWorkload]]:
    """The ledger with as many of them as find a place and every refuge, and those that do not."""
    if not homeless:
        return ledger, []
    board = open_board(ledger)
    numbers = board.add_new(homeless)
    room = StorageRoom(board, {})
    budget = Budget(solver=0.5, repairs=40)
    everywhere = np.ones(len(board.hosts), dtype=np.bool_)
    placed: list[int] = []
    refused: set[object] = set()
    for number in largest_first(board, numbers):
        holding = board.workloads[number]
        # Room only shrinks, so that what was refused once is refused to the next of its kind.
        kind = (holding.size, holding.disk, holding.zone)
        if kind in refused:
            continue
        pools = room.pools_for(number)
        if settle(board, Arrival(number, pools, everywhere), budget) is Outcome.COVERED:
            room.take(number)
            placed.append(number)
        else:
            refused.add(kind)
    after = apply(ledger, plan_of(board, placed))
    found = {board.workloads[number].id for number in placed}
    return after, [holding for holding in homeless if holding.id not in found]


def plan_guarantee(ledger: Ledger, owner: str, guaranteed: Capacity) -> Plan | None:
    """What changes for the ledger to guarantee that to the owner, from now on; None where the
    guarantees of all would not fit together."""
    due = guaranteed.beyond(used(ledger, owner))
    changes: dict[ServerId, LedgerWorkload | None] = {}
    for holding in holdings(ledger, owner):
        kept = capacity_of(holding).within(due)
        due = due.beyond(kept)
        if kept != capacity_of(holding):
            changes[holding.id] = replace(holding, size=kept.size, disk=kept.disk) if kept else None
    given = with_holdings(ledger, changes)
    new = pieces(given, owner, due)
    after, left = place_holdings(given, new)
    if left:
        loose = without_holdings(given)
        everybody = [replace(h, hosts=(), storage=None) for h in holdings(given)] + new
        after, left = place_holdings(loose, everybody)
    return None if left else _between(ledger, after, None)


def _joined(ledger: Ledger, gone: HoldingChanges, plan: Plan) -> Plan:
    if not gone:
        return plan
    standing = ledger.certificate.refuges
    removed = {name for name, holding in gone.items() if holding is None}
    refuges = {**{key: None for key in standing if key[1] in removed}, **plan.refuges}
    touched = set(plan.touched)
    for name in gone:
        touched.update(ledger.workloads[name].hosts)
    touched.update(host for key, host in standing.items() if key[1] in removed)
    return replace(
        plan, refuges=refuges, touched=frozenset(touched & ledger.hosts.keys()), holdings=gone
    )


def _between(ledger: Ledger, after: Ledger, plan: Plan | None) -> Plan:
    """The plan that leads from one ledger to the other; of servers, `plan` knows which were planned."""
    before_held = {h.id: h for h in holdings(ledger)}
    after_held = {h.id: h for h in holdings(after)}
    changes: dict[ServerId, LedgerWorkload | None] = {
        name: after_held.get(name)
        for name in sorted(before_held.keys() | after_held.keys())
        if before_held.get(name) != after_held.get(name)
    }
    before, now = ledger.certificate.refuges, after.certificate.refuges
    refuges = {
        key: now.get(key) for key in before.keys() | now.keys() if before.get(key) != now.get(key)
    }
    servers = (
        {} if plan is None else {name: w for name, w in plan.workloads.items() if not w.holding}
    )
    touched: set[HostId] = set() if plan is None else set(plan.touched)
    for name in changes:
        for one in (before_held.get(name), after_held.get(name)):
            touched.update(() if one is None else one.hosts)
    for key, host in refuges.items():
        touched.update(h for h in (host, before.get(key)) if h is not None)
    return Plan(
        {name: w.hosts[-1] for name, w in servers.items()},
        {name: w.storage for name, w in servers.items() if w.storage is not None},
        refuges,
        frozenset(touched & ledger.hosts.keys()),
        servers,
        changes,
    )

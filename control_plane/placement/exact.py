"""The exact search, for when arranging by rules of thumb found no way.

Always one worker, a fixed seed and deterministic time, so that the same question has the same
answer on every machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from control_plane.placement.board import Board
from control_plane.placement.budget import Budget

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntVar, LinearExprT

_SOLVER_AT_ONCE = 0.4
_CHOICES_AT_MOST = 60_000
"""A larger model is not even built: building it would take longer than it may be searched."""


class Verdict(Enum):
    FOUND = "found"
    NONE = "none"
    """There is none: this is proved."""
    UNKNOWN = "unknown"


def arrange(
    board: Board,
    domain: int,
    numbers: Sequence[int],
    options: Sequence[Sequence[int]],
    budget: Budget,
    *,
    drop: bool = False,
) -> tuple[Verdict, dict[int, int]]:
    """A refuge from `options` for every one of `numbers`, for servers that stay where they are.

    With `drop`, as many as possible, those of a lower tier before any number of a higher one; then
    FOUND says that no better choice exists.
    """
    if sum(map(len, options)) > _CHOICES_AT_MOST or budget.solver <= 0:
        return Verdict.UNKNOWN, {}
    # Imported here because loading OR-Tools takes a second, and few questions need it.
    from ortools.sat.python.cp_model import CpModel  # noqa: PLC0415

    model = CpModel()
    takes: dict[tuple[int, int], IntVar] = {}
    meeting: dict[tuple[object, int], list[IntVar]] = defaultdict(list)
    for number, hosts in zip(numbers, options, strict=True):
        choices = []
        for host in hosts:
            choices.append(model.new_bool_var(""))
            takes[number, host] = choices[-1]
            meeting[board.workloads[number].group, host].append(choices[-1])
            if board.refuge[domain].get(number) == host:
                model.add_hint(choices[-1], True)
        if drop:
            model.add_at_most_one(choices)
        else:
            model.add_exactly_one(choices)
    for (group, _), together in meeting.items():
        if group is not None:
            model.add_at_most_one(together)
    _fit(board, model, takes)
    if drop:
        model.maximize(_worth(board, numbers, takes))
    verdict, solver = solve(model, budget)
    if verdict is not Verdict.FOUND:
        return verdict, {}
    return verdict, {number: host for (number, host), take in takes.items() if solver.value(take)}


def _fit(board: Board, model: CpModel, takes: Mapping[tuple[int, int], IntVar]) -> None:
    at_host: dict[int, list[tuple[int, IntVar]]] = defaultdict(list)
    for (number, host), take in takes.items():
        at_host[host].append((number, take))
    for host, guests in at_host.items():
        for resource in (0, 1):
            needs = [(int(board.costs(n, host)[resource]), take) for n, take in guests]
            room = max(0, int(board.free[host, resource]))
            if sum(need for need, _ in needs) > room:
                model.add(sum(need * take for need, take in needs) <= room)


def _worth(
    board: Board, numbers: Sequence[int], takes: Mapping[tuple[int, int], IntVar]
) -> LinearExprT:
    """One workload of a tier is worth more than all of the tiers behind it together."""
    tiers = sorted({board.workloads[number].tier for number in numbers}, reverse=True)
    worth = {tier: (len(numbers) + 1) ** min(rank, 6) for rank, tier in enumerate(tiers)}
    total: LinearExprT = sum(
        worth[board.workloads[number].tier] * take for (number, _), take in takes.items()
    )
    return total


def solve(model: CpModel, budget: Budget) -> tuple[Verdict, CpSolver]:
    """An answer to an optimisation counts as FOUND only when it is proved best."""
    from ortools.sat.python import cp_model  # noqa: PLC0415

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = min(_SOLVER_AT_ONCE, budget.solver)
    status = solver.solve(model)
    budget.solver -= max(solver.response_proto.deterministic_time, 0.001)
    if status == cp_model.INFEASIBLE:
        return Verdict.NONE, solver
    found = status == cp_model.OPTIMAL
    return (Verdict.FOUND if found else Verdict.UNKNOWN), solver

"""The exact search over everything at once: hosts for the arriving workloads, and all refuges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from control_plane.model.ids import StoragePoolId
from control_plane.placement.arrival import Arrival, lived_on_by_mates
from control_plane.placement.board import NOWHERE, Amounts, Board
from control_plane.placement.budget import Budget
from control_plane.placement.exact import Verdict, solve
from control_plane.placement.refuges import reachable

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar

_CHOICES_AT_MOST = 40_000


@dataclass(slots=True)
class _Model:
    """`hosts` are the choices of a host (and pool) for an arrival, `refuges` those of a refuge for
    an arrival, `standing` those for a workload that stays where it is."""

    board: Board
    model: CpModel
    hosts: dict[tuple[int, int, StoragePoolId | None], IntVar] = field(default_factory=dict)
    refuges: dict[tuple[int, int, int, StoragePoolId | None], IntVar] = field(default_factory=dict)
    standing: dict[tuple[int, int, int], IntVar] = field(default_factory=dict)


def place_all(board: Board, arrivals: Sequence[Arrival], budget: Budget) -> Verdict:
    """Place every arrival and keep every refuge that the board shows, if there is any way without
    moving a server. The board is changed only when there is one."""
    covered = sum(len(entries) for entries in board.refuge)
    pools = max(len(arrival.pools) for arrival in arrivals)
    choices = covered + len(arrivals) * (len(board.domains) + 1) * pools
    if choices * len(board.hosts) > _CHOICES_AT_MOST or budget.solver <= 0:
        return Verdict.UNKNOWN
    # Imported here because loading OR-Tools takes a second, and few questions need it.
    from ortools.sat.python.cp_model import CpModel  # noqa: PLC0415

    model = _Model(board, CpModel())
    for arrival in arrivals:
        _add_arrival(model, arrival)
    for domain, entries in enumerate(board.refuge):
        for number in entries:
            _add_standing(model, domain, number)
    _fit(model)
    _fit_storage(model)
    _keep_groups_apart(model)
    verdict, solver = solve(model.model, budget)
    if verdict is Verdict.FOUND:
        _carry_out(
            board,
            [key for key, choice in model.hosts.items() if solver.value(choice)],
            [key for key, choice in model.refuges.items() if solver.value(choice)],
            [key for key, choice in model.standing.items() if solver.value(choice)],
        )
    return verdict


def _add_arrival(model: _Model, arrival: Arrival) -> None:
    board, number = model.board, arrival.number
    apart = np.ones(len(board.hosts), dtype=np.bool_)
    apart[lived_on_by_mates(board, number)] = False
    everywhere: list[IntVar] = []
    for pool in arrival.pools:
        usable = board.eligibility.of(board.workloads[number], pool) & apart
        usable &= (board.size[number] <= board.free).all(axis=1)
        chosen = {}
        for host in np.flatnonzero(usable & arrival.targets).tolist():
            chosen[host] = model.hosts[number, host, pool] = model.model.new_bool_var("")
        everywhere += chosen.values()
        # The source of a move has room for it already.
        sources = [h for h in board.holders[number] if board.eligibility.open[h]]
        usable[sources] = board.masks[number][sources]
        for domain in range(len(board.domains)):
            inside = [choice for host, choice in chosen.items() if board.members[domain, host]]
            if not inside:
                continue
            outside = []
            for refuge in np.flatnonzero(usable & ~board.members[domain]).tolist():
                key = (domain, number, refuge, pool)
                outside.append(model.model.new_bool_var(""))
                model.refuges[key] = outside[-1]
            model.model.add(sum(outside) == sum(inside))
    model.model.add_exactly_one(everywhere)


def _add_standing(model: _Model, domain: int, number: int) -> None:
    board = model.board
    mask = reachable(board, domain, number)
    fits = (board.size[number] <= board.free).all(axis=1)
    fits[list(board.holders[number])] = True
    choices = []
    for refuge in np.flatnonzero(mask & fits).tolist():
        choice = model.standing[domain, number, refuge] = model.model.new_bool_var("")
        if board.refuge[domain][number] == refuge:
            model.model.add_hint(choice, True)
        choices.append(choice)
    model.model.add_exactly_one(choices)


def _fit(model: _Model) -> None:
    board = model.board
    settled: dict[int, list[tuple[Amounts, IntVar]]] = defaultdict(list)
    fleeing: dict[tuple[int, int], list[tuple[Amounts, IntVar]]] = defaultdict(list)
    for (number, host, _), choice in model.hosts.items():
        settled[host].append((board.size[number], choice))
    for (domain, number, refuge, _), choice in model.refuges.items():
        fleeing[domain, refuge].append((board.costs(number, refuge), choice))
    for (domain, number, refuge), choice in model.standing.items():
        fleeing[domain, refuge].append((board.costs(number, refuge), choice))
    for host, living in settled.items():
        _fit_in(model, host, living)
    for (_, host), coming in fleeing.items():
        _fit_in(model, host, [*settled.get(host, ()), *coming])


def _fit_in(model: _Model, host: int, needs: Sequence[tuple[Amounts, IntVar]]) -> None:
    for resource in (0, 1):
        room = max(0, int(model.board.free[host, resource]))
        if sum(int(size[resource]) for size, _ in needs) > room:
            model.model.add(sum(int(size[resource]) * choice for size, choice in needs) <= room)


def _fit_storage(model: _Model) -> None:
    board = model.board
    volumes: dict[StoragePoolId, list[tuple[int, IntVar]]] = defaultdict(list)
    for (number, _, pool), choice in model.hosts.items():
        workload = board.workloads[number]
        known = board.ledger.workloads.get(workload.id)
        if pool is not None and (known is None or known.storage is None):
            volumes[pool].append((workload.disk, choice))
    for pool, wanted in volumes.items():
        left = board.ledger.storage[pool].capacity - board.ledger.storage[pool].used
        model.model.add(sum(disk * choice for disk, choice in wanted) <= left)


def _keep_groups_apart(model: _Model) -> None:
    board = model.board
    homes: dict[tuple[object, int], list[IntVar]] = defaultdict(list)
    meeting: dict[tuple[object, int, int], list[IntVar]] = defaultdict(list)
    for (number, host, _), choice in model.hosts.items():
        homes[board.workloads[number].group, host].append(choice)
    keys: Iterable[tuple[tuple[int, int, int], IntVar]] = [
        *((key[:3], choice) for key, choice in model.refuges.items()),
        *model.standing.items(),
    ]
    for (domain, number, refuge), choice in keys:
        meeting[board.workloads[number].group, domain, refuge].append(choice)
    for (group, _), together in homes.items():
        if group is not None:
            model.model.add_at_most_one(together)
    for (group, _, host), together in meeting.items():
        if group is not None:
            model.model.add_at_most_one([*together, *homes.get((group, host), ())])


def _carry_out(
    board: Board,
    hosts: Sequence[tuple[int, int, StoragePoolId | None]],
    refuges: Sequence[tuple[int, int, int, StoragePoolId | None]],
    standing: Sequence[tuple[int, int, int]],
) -> None:
    for domain, number, refuge in standing:
        if board.refuge[domain][number] != refuge:
            board.set_refuge(domain, number, NOWHERE)
    for number, host, pool in hosts:
        board.choose_storage(number, pool)
        board.hold(number, host)
    for domain, number, refuge in (*standing, *(key[:3] for key in refuges)):
        board.set_refuge(domain, number, refuge)
    for number, host, _ in hosts:
        for domain in board.stands_on(number):
            if number not in board.refuge[domain]:
                board.set_refuge(domain, number, host)

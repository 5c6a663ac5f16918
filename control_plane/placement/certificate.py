"""Takes over what still holds of the ledger's certificate, and tells what changed in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from control_plane.model.ids import HostId, ServerId, StoragePoolId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.model.pool import FailureDomain
from control_plane.placement.board import NOWHERE, Board
from control_plane.placement.plan import Plan

Numbers = NDArray[np.int64]


def open_board(ledger: Ledger) -> Board:
    """A board with every refuge of the ledger that keeps its promise.

    Where refuges do not go together (they no longer fit, or members of a group meet), as many are
    taken over as do, in the order of tier, size and id.
    """
    board = Board(ledger)
    named = _standing(board)
    if not len(named):
        return board
    every = named
    named = named[_each_holds(board, named)]
    named = _without_meetings(board, named)
    kept = {(domain, number) for domain, number, _ in named.tolist()}
    board.given_up = {(f, n) for f, n, _ in every.tolist() if (f, n) not in kept}
    domains, numbers, refuges = named.T
    sizes = np.where(_held(board, numbers, refuges)[:, None], 0, board.size[numbers])
    board.sum_up(domains, refuges, sizes)
    for domain, number, refuge in named.tolist():
        board.load(domain, number, refuge)
    _shed(board)
    return board


def missing(board: Board) -> dict[int, list[int]]:
    """The workloads without a refuge, by domain."""
    found: dict[int, list[int]] = defaultdict(list)
    for number in range(len(board.workloads)):
        for domain in board.stands_on(number):
            if number not in board.refuge[domain]:
                found[domain].append(number)
    return dict(sorted(found.items()))


def refuges(board: Board) -> dict[tuple[FailureDomain, ServerId], HostId]:
    """The certificate that the board now shows."""
    return {
        (board.domains[domain], board.workloads[number].id): board.hosts[host].id
        for domain, entries in enumerate(board.refuge)
        for number, host in entries.items()
    }


def _standing(board: Board) -> Numbers:
    """(domain, workload, refuge) for every entry of the certificate about something that is so."""
    rows = []
    domain_no, server_no, host_no = board.domain_no, board.server_no, board.host_no
    for (domain, server), host in board.ledger.certificate.refuges.items():
        number, refuge = server_no.get(server), host_no.get(host)
        if number is None or refuge is None:
            continue
        domain_number = domain_no.get(domain)
        if domain_number is not None:
            rows.append((domain_number, number, refuge))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _holder_columns(board: Board) -> tuple[Numbers, Numbers]:
    first = np.array([holders[0] for holders in board.holders], dtype=np.int64)
    last = np.array([holders[-1] for holders in board.holders], dtype=np.int64)
    return first, last


def _held(board: Board, numbers: Numbers, refuges: Numbers) -> NDArray[np.bool_]:
    first, last = _holder_columns(board)
    held: NDArray[np.bool_] = (first[numbers] == refuges) | (last[numbers] == refuges)
    return held


def _each_holds(board: Board, named: Numbers) -> NDArray[np.bool_]:
    """Which entries are right, each taken alone."""
    domains, numbers, refuges = named.T
    first, last = _holder_columns(board)
    stands = board.members[domains, first[numbers]] | board.members[domains, last[numbers]]
    outside = ~board.members[domains, refuges]
    distinct = {id(mask): mask for mask in board.masks}
    rows = {key: row for row, key in enumerate(distinct)}
    row_of = np.array([rows[id(mask)] for mask in board.masks])
    fits = np.stack(list(distinct.values()))[row_of[numbers], refuges]
    lives_on = _held(board, numbers, refuges) & ~board.eligibility.gone[refuges]
    holds: NDArray[np.bool_] = stands & outside & (fits | lives_on)
    return holds


def _without_meetings(board: Board, named: Numbers) -> Numbers:
    """Members of a group never meet at a refuge: not with one that lives there, nor with another
    that flees there from the same domain."""
    if not board.mates:
        return named
    homes = {
        (workload.group, host): number
        for number, workload in enumerate(board.workloads)
        if workload.group is not None
        for host in board.holders[number]
    }
    taken: set[tuple[object, int, int]] = set()
    kept = []
    for row, (domain, number, refuge) in enumerate(named.tolist()):
        group = board.workloads[number].group
        if group is not None:
            if homes.get((group, refuge), number) != number:
                continue
            if (group, domain, refuge) in taken:
                continue
            taken.add((group, domain, refuge))
        kept.append(row)
    return named[kept]


def _shed(board: Board) -> None:
    """Give up refuges that no longer fit, the least important first."""
    over = (board.reserve > board.free[None]).any(axis=2) & (board.reserve > 0).any(axis=2)
    for domain, host in np.argwhere(over).tolist():
        fleeing = [n for n, refuge in board.refuge[domain].items() if refuge == host]
        fleeing.sort(key=lambda n: (-board.workloads[n].tier, board.workloads[n].id))
        for number in fleeing:
            if (board.reserve[domain, host] <= board.free[host]).all():
                break
            if board.costs(number, host).any():
                board.set_refuge(domain, number, NOWHERE)


def plan_of(board: Board, numbers: Iterable[int]) -> Plan:
    """What the board now shows, as changes of its ledger. `numbers` are the planned workloads."""
    hosts: dict[ServerId, HostId] = {}
    storage: dict[ServerId, StoragePoolId] = {}
    workloads: dict[ServerId, LedgerWorkload] = {}
    touched: set[HostId] = set()
    for number in numbers:
        workload = board.workloads[number]
        holders = tuple(board.hosts[host].id for host in board.holders[number])
        workloads[workload.id] = replace(workload, hosts=holders)
        hosts[workload.id] = holders[-1]
        if workload.storage is not None:
            storage[workload.id] = workload.storage
        touched.update(holders)
    changes = _changes(board, frozenset(hosts))
    standing = board.ledger.certificate.refuges
    for key, refuge in changes.items():
        touched.update(h for h in (refuge, standing.get(key)) if h is not None)
    touched &= board.host_no.keys()
    return Plan(hosts, storage, changes, frozenset(touched), workloads)


def _changes(
    board: Board, planned: frozenset[ServerId]
) -> dict[tuple[FailureDomain, ServerId], HostId | None]:
    """Where the board differs from the ledger's certificate. Entries about planned workloads that
    say nothing any more are taken away; those about others are left to the next certification."""
    standing = board.ledger.certificate.refuges
    found: dict[tuple[FailureDomain, ServerId], HostId | None] = {
        key: None for key in standing if key[1] in planned
    }
    for domain, number in sorted(board.changed() | board.given_up):
        key = (board.domains[domain], board.workloads[number].id)
        host = board.refuge[domain].get(number, NOWHERE)
        if host != NOWHERE:
            found[key] = board.hosts[host].id
        elif key in standing and domain in board.stands_on(number):
            found[key] = None
    return {key: host for key, host in found.items() if standing.get(key) != host}

"""Gives one workload a host, and everybody the refuges that this asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from control_plane.model.ids import StoragePoolId
from control_plane.model.pool import Policy
from control_plane.placement.board import NOWHERE, Board
from control_plane.placement.budget import Budget
from control_plane.placement.eligibility import Mask
from control_plane.placement.refuges import Outcome, largest_first, mend, place

_ARRANGEMENTS_TRIED = 64
"""Hosts (with a pool) for which other workloads' refuges are arranged anew before giving up."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A workload that wants a host, by its number on the board. `pools` may hold its disk: the one
    it has, or all with room for a new one. `targets` are the hosts that may be asked."""

    number: int
    pools: tuple[StoragePoolId | None, ...]
    targets: Mask


@dataclass(slots=True)
class StorageRoom:
    """What new volumes have taken of the storage pools so far, in GiB."""

    board: Board
    taken: dict[StoragePoolId, int]

    def pools_for(self, number: int) -> tuple[StoragePoolId | None, ...]:
        """The pool of its disk where it has one, else those with room, the emptiest first."""
        workload = self.board.workloads[number]
        known = self.board.ledger.workloads.get(workload.id)
        if known is not None and known.storage is not None:
            return (known.storage,)
        pools = self.board.ledger.storage
        wanted = pools.values() if workload.storage is None else [pools[workload.storage]]
        left = [
            (pool.capacity - pool.used - self.taken.get(pool.id, 0), pool.id) for pool in wanted
        ]
        fitting = [(-room, pool) for room, pool in left if room >= workload.disk]
        return tuple(pool for _, pool in sorted(fitting))

    def take(self, number: int) -> None:
        workload = self.board.workloads[number]
        known = self.board.ledger.workloads.get(workload.id)
        if workload.storage is not None and (known is None or known.storage is None):
            taken = self.taken.get(workload.storage, 0) + workload.disk
            self.taken[workload.storage] = taken


def settle(board: Board, arrival: Arrival, budget: Budget) -> Outcome:
    """Give it the best host where the promise can be kept; where that takes rearranging refuges,
    rearrange them. IMPOSSIBLE is proved for servers that stay where they are."""
    if settle_undisturbed(board, arrival):
        return Outcome.COVERED
    unsure = False
    hopeless: list[int] = []
    for tried, (host, pool) in enumerate(_ranked(board, arrival, undisturbed=False)):
        if tried >= _ARRANGEMENTS_TRIED or budget.spent:
            unsure = True
            break
        outcome = _try_rearranging(board, arrival, host, pool, budget=budget, hopeless=hopeless)
        if outcome is Outcome.COVERED:
            return outcome
        unsure |= outcome is Outcome.UNKNOWN
    return Outcome.UNKNOWN if unsure else Outcome.IMPOSSIBLE


def settle_undisturbed(board: Board, arrival: Arrival) -> bool:
    """The cheap part of it: the best host that no refuge has to give way for."""
    return any(
        _try_undisturbed(board, arrival, host, pool)
        for host, pool in _ranked(board, arrival, undisturbed=True)
    )


def settle_unpromised(board: Board, arrival: Arrival, *, only: int = NOWHERE) -> bool:
    """Give it the best host with room, or `only` that one, whatever becomes of promises: it has no
    refuge itself, and the refuges in its way go elsewhere where that costs nothing."""
    if only != NOWHERE:
        host, pool = only, board.workloads[arrival.number].storage
    else:
        best = next(_ranked(board, arrival, undisturbed=False), None)
        if best is None:
            return False
        host, pool = best
    for domain, displaced in make_room(board, arrival.number, host, pool).items():
        for number in largest_first(board, displaced):
            place(board, domain, number)
    return True


def lived_on_by_mates(board: Board, number: int) -> list[int]:
    return [host for mate in board.others(number) for host in board.holders[mate]]


def _mates_refuges(board: Board, number: int) -> Iterator[tuple[int, int, int]]:
    """(domain, mate, refuge) of the other members of its group."""
    for mate in board.others(number):
        for domain in board.stands_on(mate):
            refuge = board.refuge[domain].get(mate, NOWHERE)
            if refuge != NOWHERE:
                yield domain, mate, refuge


def _ranked(
    board: Board, arrival: Arrival, *, undisturbed: bool
) -> Iterator[tuple[int, StoragePoolId | None]]:
    """Hosts with room, the best first. `undisturbed`: and no refuge would have to give way."""
    number = arrival.number
    size = board.size[number]
    room = board.free - board.peak if undisturbed else board.free
    fits = arrival.targets & (size <= room).all(axis=1)
    fits[lived_on_by_mates(board, number)] = False
    if undisturbed:
        fits[[refuge for _, _, refuge in _mates_refuges(board, number)]] = False
    full = ((board.capacity - board.free + size) / np.maximum(board.capacity, 1)).max(axis=1)
    if board.ledger.policy is Policy.PACK:
        full = -full
    # Members of a group keep apart from each other's wider domains too, where there is a choice.
    near = np.zeros(len(board.hosts), dtype=np.int64)
    for mate in board.others(number):
        for domain in board.stands_on(mate):
            near += board.members[domain]
    workload = board.workloads[number]
    kept = -(board.free - board.peak).min(axis=1)
    options = []
    for rank, pool in enumerate(arrival.pools):
        hosts = np.flatnonzero(fits & board.eligibility.of(workload, pool))
        options.append(np.stack([hosts, np.full_like(hosts, rank)]))
    if not options:
        return
    hosts, ranks = np.concatenate(options, axis=1)
    order = np.lexsort((hosts, ranks, kept[hosts], full[hosts], near[hosts]))
    for chosen in order.tolist():
        yield int(hosts[chosen]), arrival.pools[ranks[chosen]]


def _try_undisturbed(board: Board, arrival: Arrival, host: int, pool: StoragePoolId | None) -> bool:
    mark = board.mark()
    board.choose_storage(arrival.number, pool)
    board.hold(arrival.number, host)
    if all(place(board, domain, arrival.number) for domain in board.stands_on(arrival.number)):
        return True
    board.roll_back(mark)
    return False


def _try_rearranging(
    board: Board,
    arrival: Arrival,
    host: int,
    pool: StoragePoolId | None,
    *,
    budget: Budget,
    hopeless: list[int],
) -> Outcome:
    """`hopeless` keeps the domains that stood in the way of other hosts: they are asked first."""
    mark = board.mark()
    displaced = make_room(board, arrival.number, host, pool)
    for domain in board.stands_on(arrival.number):
        displaced[domain].append(arrival.number)
    order = [domain for domain in hopeless if domain in displaced]
    order += [domain for domain in sorted(displaced) if domain not in hopeless]
    for domain in order:
        outcome = mend(board, domain, displaced[domain], budget)
        if outcome is not Outcome.COVERED:
            if domain in hopeless:
                hopeless.remove(domain)
            hopeless.insert(0, domain)
            board.roll_back(mark)
            return outcome
    return Outcome.COVERED


def make_room(
    board: Board, number: int, host: int, pool: StoragePoolId | None
) -> defaultdict[int, list[int]]:
    """Put the workload on the host; the refuges there that no longer hold are taken away and
    answered, by domain."""
    displaced: defaultdict[int, list[int]] = defaultdict(list)
    for domain, mate, refuge in list(_mates_refuges(board, number)):
        if refuge == host:
            board.set_refuge(domain, mate, NOWHERE)
            displaced[domain].append(mate)
    board.choose_storage(number, pool)
    board.hold(number, host)
    for domain in np.flatnonzero((board.reserve[:, host] > board.free[host]).any(axis=1)).tolist():
        guests = [n for n, refuge in board.refuge[domain].items() if refuge == host]
        for guest in reversed(largest_first(board, guests)):
            if (board.reserve[domain, host] <= board.free[host]).all():
                break
            if board.costs(guest, host).any():
                board.set_refuge(domain, guest, NOWHERE)
                displaced[domain].append(guest)
    return displaced


def placed_on(board: Board, numbers: Sequence[int]) -> Mapping[int, int]:
    """The host that each of these workloads was given."""
    return {number: board.holders[number][-1] for number in numbers}

"""Finds refuges for one domain's workloads without moving any server.

From cheap to dear: the host that raises the reserve least; one refuge making way for another; all of
the domain's refuges packed anew, largest first; and the exact search, which alone can say that there
is no way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

import numpy as np

from control_plane.placement.board import NOWHERE, Board
from control_plane.placement.budget import Budget
from control_plane.placement.eligibility import Mask
from control_plane.placement.exact import Verdict, arrange

_HOSTS_TRIED = 16
_CHOICES_WEIGHED = 1200
"""Up to so many pairs of a workload and a host, who is left without refuge is chosen exactly."""


class Outcome(Enum):
    COVERED = "covered"
    IMPOSSIBLE = "impossible"
    """Proved, for servers that stay where they are."""
    UNKNOWN = "unknown"


def reachable(board: Board, domain: int, number: int) -> Mask:
    """Hosts that may be its refuge by every rule but capacity and the refuges of its group."""
    mask: Mask
    survivors = board.survivors(domain, number)
    if survivors and survivors[-1] == board.holders[number][-1]:
        # It lives on at the host that it is moving to.
        mask = np.zeros(len(board.hosts), dtype=np.bool_)
        mask[survivors[-1]] = True
        return mask
    mask = np.logical_and(board.masks[number], ~board.members[domain])
    for mate in board.others(number):
        mask[list(board.holders[mate])] = False
    # A source that is about to close is kept where it has been named, and never newly chosen.
    named = board.refuge[domain].get(number, NOWHERE)
    if named in survivors:
        mask[named] = True
    return mask


def allowed(board: Board, domain: int, number: int) -> Mask:
    """Hosts that may be its refuge by every rule but capacity."""
    mask = reachable(board, domain, number)
    for mate in board.others(number):
        refuge = board.refuge[domain].get(mate, NOWHERE)
        if refuge != NOWHERE:
            mask[refuge] = False
    return mask


def choose(board: Board, domain: int, number: int) -> int:
    """The host that suits best now, or NOWHERE: one that costs nothing, else one whose reserve grows
    least (a host that is kept free for another domain's death is kept free for this one as well),
    else the one with the most room left."""
    mask = allowed(board, domain, number)
    for host in board.survivors(domain, number):
        if mask[host]:
            return host
    size = board.size[number]
    after = board.reserve[domain] + size
    room = board.free - after
    fits = mask & (room >= 0).all(axis=1)
    found = np.flatnonzero(fits)
    if not len(found):
        return NOWHERE
    growth = (np.maximum(after[found] - board.peak[found], 0) / board.scale).sum(axis=1)
    left = (room[found] / board.scale).min(axis=1)
    return int(found[np.lexsort((-left, growth))[0]])


def place(board: Board, domain: int, number: int) -> bool:
    host = choose(board, domain, number)
    if host == NOWHERE:
        return False
    board.set_refuge(domain, number, host)
    return True


def largest_first(board: Board, numbers: Iterable[int]) -> list[int]:
    def order(number: int) -> tuple[float, str]:
        return -float((board.size[number] / board.scale).max()), board.workloads[number].id

    return sorted(numbers, key=order)


def mend(board: Board, domain: int, missing: Sequence[int], budget: Budget) -> Outcome:
    """Give every one of `missing` a refuge for the domain, and keep everybody else's.

    Nothing has changed on the board unless the outcome is COVERED.
    """
    mark = board.mark()
    left = [n for n in largest_first(board, missing) if not place(board, domain, n)]
    left = [n for n in left if not _make_way(board, domain, n)]
    if not left:
        return Outcome.COVERED
    board.roll_back(mark)
    if budget.spent:
        return Outcome.UNKNOWN
    budget.repair()
    everyone = [*board.refuge[domain], *missing]
    if too_little(board, domain, everyone):
        return Outcome.IMPOSSIBLE
    if _pack_anew(board, domain, everyone):
        return Outcome.COVERED
    verdict, found = arrange(board, domain, everyone, _options(board, domain, everyone), budget)
    if verdict is Verdict.FOUND:
        take_over(board, domain, everyone, found)
        return Outcome.COVERED
    return Outcome.IMPOSSIBLE if verdict is Verdict.NONE else Outcome.UNKNOWN


def cover_most(board: Board, domain: int, missing: Sequence[int], budget: Budget) -> list[int]:
    """Where not everyone can have a refuge, those of the lowest tiers have one; returns the others.

    Also the workloads that had a refuge stand back for a lower tier. In a large region the choice
    is good rather than best: who is left out finds no room, though another choice might leave out
    fewer.
    """
    everyone = [*board.refuge[domain], *missing]
    options = _options(board, domain, everyone)
    if sum(map(len, options)) <= _CHOICES_WEIGHED:
        verdict, found = arrange(board, domain, everyone, options, budget, drop=True)
        if verdict is Verdict.FOUND:
            take_over(board, domain, everyone, found)
            return sorted(number for number in everyone if number not in found)
    ordered = largest_first(board, everyone)
    ordered.sort(key=lambda number: board.workloads[number].tier)
    for number in everyone:
        board.set_refuge(domain, number, NOWHERE)
    left = [n for n in ordered if not (place(board, domain, n) or _make_way(board, domain, n))]
    # Where refuges made way for each other, somebody may fit in after all.
    return sorted(number for number in left if not place(board, domain, number))


def take_over(board: Board, domain: int, numbers: Sequence[int], found: dict[int, int]) -> None:
    for number in numbers:
        if board.refuge[domain].get(number) != found.get(number):
            board.set_refuge(domain, number, NOWHERE)
    for number, host in found.items():
        board.set_refuge(domain, number, host)


def too_little(board: Board, domain: int, numbers: Sequence[int]) -> bool:
    """True where it can be seen without search that not all of them find a refuge: somebody fits
    nowhere even alone, or together they need more than all hosts have free that any may use."""
    needed = np.zeros(2, dtype=np.int64)
    usable = np.zeros(len(board.hosts), dtype=np.bool_)
    for number in numbers:
        mask = reachable(board, domain, number)
        if any(mask[host] for host in board.survivors(domain, number)):
            continue
        mask &= (board.size[number] <= board.free).all(axis=1)
        if not mask.any():
            return True
        needed += board.size[number]
        usable |= mask
    return bool((needed > np.maximum(board.free[usable], 0).sum(axis=0)).any())


def _options(board: Board, domain: int, numbers: Sequence[int]) -> list[list[int]]:
    found = []
    for number in numbers:
        mask = reachable(board, domain, number)
        mask &= (board.size[number] <= board.free).all(axis=1)
        for host in board.survivors(domain, number):
            mask[host] = reachable(board, domain, number)[host]
        found.append(np.flatnonzero(mask).tolist())
    return found


def _make_way(board: Board, domain: int, number: int) -> bool:
    """Let one other workload of the domain take another refuge, so that this one fits."""
    size = board.size[number]
    room = board.free - board.reserve[domain]
    lacking = (np.maximum(size - room, 0) / board.scale).sum(axis=1)
    hosts = np.flatnonzero(reachable(board, domain, number))
    hosts = hosts[np.lexsort((hosts, lacking[hosts]))][:_HOSTS_TRIED]
    guests: dict[int, list[int]] = {}
    for other, refuge in board.refuge[domain].items():
        guests.setdefault(refuge, []).append(other)
    mark = board.mark()
    for host in hosts.tolist():
        for other in reversed(largest_first(board, guests.get(host, ()))):
            if (room[host] + board.costs(other, host) < size).any():
                continue
            board.set_refuge(domain, other, NOWHERE)
            if allowed(board, domain, number)[host]:
                board.set_refuge(domain, number, host)
                if place(board, domain, other):
                    return True
            board.roll_back(mark)
    return False


def _pack_anew(board: Board, domain: int, numbers: Sequence[int]) -> bool:
    mark = board.mark()
    for number in numbers:
        board.set_refuge(domain, number, NOWHERE)
    if all(place(board, domain, number) for number in largest_first(board, numbers)):
        return True
    board.roll_back(mark)
    return False

"""Which servers would have to go for lent room to come back.

Room that nobody is guaranteed may be used by whoever asks, and is theirs only until it is needed.
A server counts as borrowed while all that it takes lies beyond its owner's guarantee, so that
giving it back never cuts into one. To whom nothing was ever allotted, nothing was lent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from control_plane.model.allotment import Capacity
from control_plane.model.ids import ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.units import NOTHING, GiB, MiB, VCpu
from control_plane.placement.certificate import open_board, plan_of
from control_plane.placement.checker import check
from control_plane.placement.guarantees import place_holdings
from control_plane.placement.holdings import (
    HOLDING_UNIT,
    holdings,
    pieces,
    unproved,
    used,
    without_holdings,
)
from control_plane.placement.plan import apply
from control_plane.placement.recertification import fill_holes

_NOBODY = ""
"""The owner of room that is asked for and that nobody is guaranteed yet."""

_TRIES = (8, 40)
"""How many ways of taking less are looked at, at least and at most: the more room is asked for, the
longer each takes."""
_PIECES_TRIED = 2000


@dataclass(frozen=True, slots=True)
class ReclaimPlan:
    """`servers` in the order in which they are taken. `enough`: without them, the room that was asked
    for fits beside all guarantees and under the certificate. `freed` is what they give back, by
    owner; their disks stay."""

    servers: tuple[ServerId, ...]
    freed: Mapping[str, Capacity]
    enough: bool


def plan_reclaim(
    ledger: Ledger,
    asked: Capacity,
    *,
    spared: Collection[ServerId] = frozenset(),
    among: Collection[ServerId] | None = None,
    first_tier_too: bool = False,
) -> ReclaimPlan:
    """The fewest borrowed servers for `asked` to fit beside what is guaranteed to everybody and not
    used; of disk nothing is asked, since no disk is given back.

    The highest tier number goes first, of it the borrower that is furthest above its guarantee, and
    of its servers the largest. What is `spared` stays, and so does tier 0 unless `first_tier_too`.
    With `among`, no others are thought of. Where not even all of them are enough, all are answered.
    """
    asked = replace(asked, disk=GiB(0))
    if has_room(ledger, asked):
        return _answer(ledger, (), enough=True)
    growing = {w.grows for w in ledger.workloads.values() if w.grows is not None}
    candidates = {
        workload.id: workload
        for workload in ledger.workloads.values()
        if not workload.holding
        and workload.owner in ledger.guaranteed
        and len(workload.hosts) == 1
        and workload.grows is None
        and workload.id not in growing
        and workload.id not in spared
        and (among is None or workload.id in among)
        and (workload.tier > 0 or first_tier_too)
    }
    order = list(_in_order(ledger, candidates))
    if not has_room(without(ledger, order), asked):
        return _answer(ledger, order, enough=False)
    few, many = 0, len(order)
    while many - few > 1:
        middle = (few + many) // 2
        if has_room(without(ledger, order[:middle]), asked):
            many = middle
        else:
            few = middle
    return _answer(ledger, _fewer(ledger, asked, order[:many]), enough=True)


def has_room(ledger: Ledger, asked: Capacity) -> bool:
    """Whether `asked` and whatever is guaranteed and not used find places with every refuge, on hosts
    as they are; servers stay where they are."""
    wanted = [replace(holding, hosts=(), storage=None) for holding in holdings(ledger)]
    for owner, lacking in unproved(ledger).items():
        wanted += _pieces(ledger, owner, lacking, wanted)
    wanted += _pieces(ledger, _NOBODY, asked, wanted)
    if not wanted:
        return True
    board = open_board(without_holdings(ledger))
    fill_holes(board)
    after, left = place_holdings(apply(board.ledger, plan_of(board, ())), wanted)
    return not left and set(check(after)) <= set(check(ledger))


def without(ledger: Ledger, servers: Collection[ServerId]) -> Ledger:
    """The ledger once they are shelved."""
    gone = set(servers)
    workloads = {
        id: replace(workload, hosts=(), size=NOTHING) if id in gone else workload
        for id, workload in ledger.workloads.items()
    }
    refuges = {k: host for k, host in ledger.certificate.refuges.items() if k[1] not in gone}
    return replace(ledger, workloads=workloads, certificate=Certificate(refuges))


def borrowed(ledger: Ledger, owner: str) -> Capacity:
    """What of the owner's servers lies beyond its guarantee."""
    return used(ledger, owner).beyond(ledger.guaranteed.get(owner, Capacity()))


def _in_order(ledger: Ledger, candidates: Mapping[ServerId, LedgerWorkload]) -> Iterator[ServerId]:
    """Each as far as its owner still borrows all of it once those before it are gone."""
    total = _capacity(ledger)
    above = {owner: borrowed(ledger, owner) for owner in {w.owner for w in candidates.values()}}

    def distance(owner: str) -> float:
        one = above[owner]
        return max(one.vcpu / max(1, total.vcpu), one.memory / max(1, total.memory))

    for tier in sorted({w.tier for w in candidates.values()}, reverse=True):
        waiting: defaultdict[str, list[LedgerWorkload]] = defaultdict(list)
        for workload in candidates.values():
            if workload.tier == tier:
                waiting[workload.owner].append(workload)
        for servers in waiting.values():
            servers.sort(key=lambda w: (-w.size.memory, -w.size.vcpu, w.id), reverse=True)
        while True:
            for owner, servers in waiting.items():
                # What is borrowed only shrinks, so that what doesn't fit into it now never will.
                while servers and not _takes(servers[-1]).fits_in(above[owner]):
                    servers.pop()
            giving = [owner for owner, servers in waiting.items() if servers]
            if not giving:
                break
            owner = min(giving, key=lambda name: (-distance(name), name))
            chosen = waiting[owner].pop()
            above[owner] = above[owner].beyond(_takes(chosen))
            yield chosen.id


def _fewer(ledger: Ledger, asked: Capacity, taken: Sequence[ServerId]) -> list[ServerId]:
    """Those that are not needed are given back, the most important first."""
    kept = list(taken)
    few, many = _TRIES
    size = max(1, asked.vcpu // HOLDING_UNIT.vcpu, asked.memory // HOLDING_UNIT.memory)
    most = max(few, min(many, _PIECES_TRIED // size))
    tries = 0
    again = True
    while again:
        again = False
        for server in reversed(tuple(kept)):
            if tries >= most:
                return kept
            tries += 1
            fewer = [each for each in kept if each != server]
            if has_room(without(ledger, fewer), asked):
                kept = fewer
                again = True
    return kept


def _answer(ledger: Ledger, taken: Sequence[ServerId], *, enough: bool) -> ReclaimPlan:
    freed: dict[str, Capacity] = {}
    for server in taken:
        workload = ledger.workloads[server]
        freed[workload.owner] = freed.get(workload.owner, Capacity()) + _takes(workload)
    return ReclaimPlan(tuple(taken), dict(sorted(freed.items())), enough)


def _pieces(
    ledger: Ledger, owner: str, amount: Capacity, others: Sequence[LedgerWorkload]
) -> list[LedgerWorkload]:
    """Of room alone; with names that `others` have not."""
    known = {**ledger.workloads, **{other.id: other for other in others}}
    return pieces(replace(ledger, workloads=known), owner, replace(amount, disk=GiB(0)))


def _takes(workload: LedgerWorkload) -> Capacity:
    return Capacity.of(workload.size, GiB(0))


def _capacity(ledger: Ledger) -> Capacity:
    hosts = [h.capacity for h in ledger.hosts.values() if h.standing is not Standing.GONE]
    return Capacity(VCpu(sum(h.vcpu for h in hosts)), MiB(sum(h.memory for h in hosts)))

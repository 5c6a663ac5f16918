"""Says why a workload finds no host, or no refuge: the failure, the resource, the nearest host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from control_plane.model.ids import StoragePoolId
from control_plane.model.ledger import LedgerWorkload
from control_plane.model.pool import FailureDomain
from control_plane.placement.arrival import Arrival, lived_on_by_mates
from control_plane.placement.board import NOWHERE, Amounts, Board
from control_plane.placement.eligibility import Mask
from control_plane.placement.refusal import Lack, Proof, Refusal, Role

_HOSTS_LOOKED_AT = 64
_MISSING_PROPERTY = 1e6
"""Weighs more than any amount: a host without the zone is further away than a full one."""


@dataclass(frozen=True, slots=True)
class _Want:
    """Something that stands in the way. `weight` is the shortfall in average hosts."""

    weight: float
    resource: Lack
    nearest: int
    shortfall: int
    unit: str
    wanted: str = ""
    failure: FailureDomain | None = None
    role: Role = Role.HOST


def why_no_host(board: Board, arrival: Arrival, proof: Proof) -> Refusal:
    """For an arrival that found no host on the board as it is."""
    number = arrival.number
    if not arrival.pools:
        return _refusal(board, number, _no_storage(board, number), proof)
    wants = [_host_want(board, arrival, pool) for pool in arrival.pools]
    return _refusal(board, number, min(wants, key=_weight), proof)


def why_no_refuge(board: Board, domain: int, number: int, proof: Proof) -> Refusal:
    """For a workload that stays where it is and has no refuge for the domain."""
    pool = board.workloads[number].storage
    want = _refuge_want(board, domain, number, board.holders[number][-1], pool)
    if want is None:
        raise AssertionError(f"{board.workloads[number].id} was left out of a refuge that is free")
    return _refusal(board, number, want, proof)


def _weight(want: _Want) -> float:
    return want.weight


def _refusal(board: Board, number: int, want: _Want, proof: Proof) -> Refusal:
    return Refusal(
        failure=want.failure,
        workload=board.workloads[number].id,
        resource=want.resource,
        nearest=None if want.nearest == NOWHERE else board.hosts[want.nearest].id,
        shortfall=want.shortfall,
        unit=want.unit,
        proof=proof,
        role=want.role,
        wanted=want.wanted,
    )


def _no_storage(board: Board, number: int) -> _Want:
    workload = board.workloads[number]
    pools = board.ledger.storage.values()
    wanted = [p for p in pools if workload.storage in (None, p.id)]
    if not wanted:
        return _Want(_MISSING_PROPERTY, Lack.STORAGE, NOWHERE, workload.disk, "GiB")
    most = max(wanted, key=lambda pool: (pool.capacity - pool.used, pool.id))
    reaching = board.eligibility.of(workload, most.id)
    nearest = _roomiest(board, reaching if reaching.any() else board.eligibility.open)
    shortfall = max(1, workload.disk - (most.capacity - most.used))
    return _Want(_MISSING_PROPERTY, Lack.STORAGE, nearest, shortfall, "GiB")


def _roomiest(board: Board, mask: Mask) -> int:
    found = np.flatnonzero(mask)
    if not len(found):
        return NOWHERE
    room = ((board.free - board.peak)[found] / board.scale).min(axis=1)
    return int(found[np.argmax(room)])


def _property_want(
    board: Board, number: int, pool: StoragePoolId | None, usable: Mask, apart: Iterable[int]
) -> tuple[Mask, _Want | None]:
    """The hosts among `usable` that meet every rule, or the first rule that nobody left meets."""
    workload = board.workloads[number]
    keeping_apart = np.ones(len(board.hosts), dtype=np.bool_)
    keeping_apart[list(apart)] = False
    steps = {
        **board.eligibility.rules(workload, pool),
        Lack.OPEN_HOST: board.eligibility.open,
        Lack.ANTI_AFFINITY: keeping_apart,
    }
    if not usable.any():
        return usable, _Want(_MISSING_PROPERTY, Lack.OTHER_HOST, NOWHERE, 1, "host")
    left = usable
    for name, mask in steps.items():
        after = left & mask
        if not after.any():
            wanted = _wanted(Lack(name), workload, pool)
            nearest = _roomiest(board, left)
            return after, _Want(_MISSING_PROPERTY, Lack(name), nearest, 1, "host", wanted)
        left = after
    return left, None


def _wanted(lack: Lack, workload: LedgerWorkload, pool: StoragePoolId | None) -> str:
    names: dict[Lack, Iterable[str]] = {
        Lack.SITE: workload.sites,
        Lack.ZONE: [workload.zone],
        Lack.TRAIT: workload.traits,
        Lack.STORAGE_REACH: [pool or ""],
        Lack.ANTI_AFFINITY: [workload.group or ""],
    }
    return ", ".join(sorted(names.get(lack, ())))


def _amount_want(board: Board, host: int, size: Amounts, room: Amounts) -> _Want | None:
    lacking = np.maximum(size - room, 0)
    if not lacking.any():
        return None
    resource = int(np.argmax(lacking / board.scale))
    lack, unit = ((Lack.VCPU, "vCPU"), (Lack.MEMORY, "MiB"))[resource]
    weight = float((lacking / board.scale).sum())
    return _Want(weight, lack, host, int(lacking[resource]), unit)


def _least_lacking(board: Board, hosts: Mask, size: Amounts, room: Amounts) -> tuple[int, Amounts]:
    found = np.flatnonzero(hosts)
    lacking = (np.maximum(size - room[found], 0) / board.scale).sum(axis=1)
    host = int(found[np.argmin(lacking)])
    here: Amounts = room[host]
    return host, here


def _host_want(board: Board, arrival: Arrival, pool: StoragePoolId | None) -> _Want:
    number, size = arrival.number, board.size[arrival.number]
    apart = lived_on_by_mates(board, number)
    hosts, want = _property_want(board, number, pool, arrival.targets, apart)
    if want is not None:
        return want
    fits = hosts & (size <= board.free).all(axis=1)
    if not fits.any():
        host, room = _least_lacking(board, hosts, size, board.free)
        lacking = _amount_want(board, host, size, room)
        if lacking is not None:
            return lacking
    # Where there is room as long as nothing fails, some promise stands in the way on every host.
    room_left = ((board.free - board.peak)[fits] / board.scale).min(axis=1)
    candidates = np.flatnonzero(fits)[np.argsort(-room_left, kind="stable")][:_HOSTS_LOOKED_AT]
    return min((_promise_want(board, number, int(h), pool) for h in candidates), key=_weight)


def _promise_want(board: Board, number: int, host: int, pool: StoragePoolId | None) -> _Want:
    """What weighs most among what stands in the way of this host."""
    wants = []
    domains = sorted({*board.stands_on(number), *board.domains_of[host]})
    for domain in domains:
        want = _refuge_want(board, domain, number, host, pool)
        if want is not None:
            wants.append(want)
    after = board.reserve[:, host] + board.size[number] - board.free[host]
    over = (np.maximum(after, 0) / board.scale).sum(axis=1)
    if len(over) and over.max() > 0:
        domain = int(np.argmax(over))
        size, room = board.reserve[domain, host] + board.size[number], board.free[host]
        want = _amount_want(board, host, size, room)
        if want is not None:
            wants.append(_because_of(board, domain, want, Role.HOST))
    if wants:
        return max(wants, key=_weight)
    for mate in board.others(number):
        for domain in board.stands_on(mate):
            if board.refuge[domain].get(mate) == host:
                want = _Want(_MISSING_PROPERTY, Lack.ANTI_AFFINITY, host, 1, "host")
                return _because_of(board, domain, want, Role.HOST)
    raise AssertionError(f"{board.workloads[number].id} was left out of a host that is free")


def _refuge_want(
    board: Board, domain: int, number: int, host: int, pool: StoragePoolId | None
) -> _Want | None:
    """What stands in the way of its restart when the domain dies, should it live on `host`."""
    lives_on = not board.members[domain, host] and not board.eligibility.gone[host]
    if lives_on and board.members[domain, board.holders[number]].any():
        return None
    apart = set(lived_on_by_mates(board, number))
    apart |= {board.refuge[domain].get(mate, NOWHERE) for mate in board.others(number)}
    usable = ~board.members[domain]
    hosts, want = _property_want(board, number, pool, usable, apart - {NOWHERE})
    if want is None:
        size = board.size[number]
        room = board.free - board.reserve[domain]
        for source in board.holders[number]:
            room[source] += size
        refuge, here = _least_lacking(board, hosts, size, room)
        want = _amount_want(board, refuge, size, here)
    return None if want is None else _because_of(board, domain, want, Role.REFUGE)


def _because_of(board: Board, domain: int, want: _Want, role: Role) -> _Want:
    return replace(want, failure=board.domains[domain], role=role)

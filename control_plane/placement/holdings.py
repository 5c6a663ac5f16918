"""Holdings: the room that a ledger keeps for guarantees that are not used.

Whatever is guaranteed to a member is either used by its servers or held. A holding is small, so that
it fits where room is scattered, and gives way at once: to its member's own servers, and to any server
that has lost its host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, ServerId, StoragePoolId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.pool import Zone
from control_plane.model.units import NOTHING, GiB, MiB, Resources, VCpu

HOLDING_UNIT = Resources(VCpu(1), MiB(2048))
"""No holding is larger when it is placed, so that a server of this size always fits into one."""

HOLDING_TIER = 1_000_000
"""Behind every server's: where not all can have refuges, holdings go without."""

HoldingChanges = Mapping[ServerId, LedgerWorkload | None]
"""None gives the holding up."""


def capacity_of(workload: LedgerWorkload) -> Capacity:
    return Capacity.of(workload.size, workload.disk)


def counted(ledger: Ledger, workload: LedgerWorkload) -> Capacity:
    """What its owner uses by it, beside everything else in the ledger."""
    whole = capacity_of(workload)
    grown = None if workload.grows is None else ledger.workloads.get(workload.grows)
    return whole if grown is None else whole.beyond(replace(capacity_of(grown), disk=GiB(0)))


def used(ledger: Ledger, owner: str) -> Capacity:
    """What the owner's servers and disks were asked to be, each once, wherever it is."""
    return sum(
        (
            counted(ledger, w)
            for w in ledger.workloads.values()
            if w.owner == owner and not w.holding
        ),
        Capacity(disk=ledger.disks.get(owner, GiB(0))),
    )


def holdings(ledger: Ledger, owner: str | None = None) -> list[LedgerWorkload]:
    """By id."""
    found = [
        w for w in ledger.workloads.values() if w.holding and (owner is None or w.owner == owner)
    ]
    return sorted(found, key=lambda workload: workload.id)


def held(ledger: Ledger, owner: str) -> Capacity:
    """What is held for the owner on hosts that can give it."""
    return sum(
        (
            capacity_of(w)
            for w in holdings(ledger, owner)
            if all(ledger.hosts[host].standing is not Standing.GONE for host in w.hosts)
        ),
        Capacity(),
    )


def unproved(ledger: Ledger) -> dict[str, Capacity]:
    """What of each guarantee is neither used nor held; members of whom all is, are left out."""
    used_by: defaultdict[str, Capacity] = defaultdict(Capacity)
    for owner, size in ledger.disks.items():
        used_by[owner] += Capacity(disk=size)
    for workload in ledger.workloads.values():
        gone = workload.holding and any(
            ledger.hosts[host].standing is Standing.GONE for host in workload.hosts
        )
        if workload.owner in ledger.guaranteed and not gone:
            used_by[workload.owner] += counted(ledger, workload)
    # A resource that is used beyond the guarantee leaves none of it to be held, so that the sum of
    # both is all that counts.
    found = {
        owner: guaranteed.beyond(used_by[owner]) for owner, guaranteed in ledger.guaranteed.items()
    }
    return {owner: lacking for owner, lacking in sorted(found.items()) if lacking}


def with_holdings(ledger: Ledger, changes: HoldingChanges) -> Ledger:
    """The ledger with holdings as they are to be. Those given up have no refuges any more."""
    if not changes:
        return ledger
    workloads = dict(ledger.workloads)
    storage = dict(ledger.storage)

    def count(workload: LedgerWorkload | None, times: int) -> None:
        if workload is not None and workload.storage in storage:
            pool = storage[workload.storage]
            storage[pool.id] = replace(pool, used=GiB(pool.used + times * workload.disk))

    for name, holding in changes.items():
        count(workloads.pop(name, None), -1)
        count(holding, 1)
        if holding is not None:
            workloads[name] = holding
    given_up = {name for name, holding in changes.items() if holding is None}
    certificate = ledger.certificate
    if given_up:
        refuges = {k: host for k, host in certificate.refuges.items() if k[1] not in given_up}
        certificate = Certificate(refuges)
    return replace(ledger, workloads=workloads, storage=storage, certificate=certificate)


def without_holdings(ledger: Ledger) -> Ledger:
    return with_holdings(ledger, {holding.id: None for holding in holdings(ledger)})


def given_up(
    ledger: Ledger, new: Iterable[LedgerWorkload]
) -> dict[ServerId, LedgerWorkload | None]:
    """What the owners of `new` give up of their holdings so that it fits: as much of their guarantees
    as it uses. Where a holding is as large as a server it is taken from that one, so that the server
    fits in its place."""
    changes: dict[ServerId, LedgerWorkload | None] = {}
    coming: defaultdict[str, list[Capacity]] = defaultdict(list)
    for workload in new:
        if workload.owner in ledger.guaranteed:
            coming[workload.owner].append(_more(ledger, workload))
    for owner, servers in sorted(coming.items()):
        asked = sum(servers, Capacity())
        had = used(ledger, owner)
        guaranteed = ledger.guaranteed[owner]
        needed = guaranteed.beyond(had).beyond(guaranteed.beyond(had + asked))
        left = {holding.id: holding for holding in holdings(ledger, owner)}
        before = dict(left)
        for server in sorted(servers, key=lambda c: (c.vcpu, c.memory), reverse=True):
            needed = _take(left, server.within(needed), needed)
        _take(left, needed, needed)
        for name, holding in before.items():
            if left[name] != holding:
                changes[name] = left[name] if capacity_of(left[name]) else None
    return changes


def _more(ledger: Ledger, workload: LedgerWorkload) -> Capacity:
    """What it takes more than the ledger has counted: all of a new one, the size of a shelved one,
    nothing of a stranded one."""
    known = ledger.workloads.get(workload.id)
    whole = capacity_of(workload)
    return whole if known is None else whole.beyond(capacity_of(known))


def taken_for(ledger: Ledger, owner: str, more: Capacity) -> dict[ServerId, LedgerWorkload | None]:
    """`given_up` for a server that grows by `more`."""
    grown = LedgerWorkload(
        ServerId(""), owner, more.size, more.disk, Zone.LGWAN, HOLDING_TIER, None
    )
    return given_up(ledger, [grown])


def _take(left: dict[ServerId, LedgerWorkload], amount: Capacity, needed: Capacity) -> Capacity:
    """Take `amount` from holdings; answers what is needed still."""

    def order(holding: LedgerWorkload) -> tuple[bool, int, int, str]:
        whole = amount.fits_in(capacity_of(holding))
        sign = 1 if whole else -1
        return (not whole, sign * holding.size.vcpu, sign * holding.size.memory, holding.id)

    for holding in sorted(left.values(), key=order):
        taken = amount.within(capacity_of(holding))
        if taken:
            rest = capacity_of(holding).beyond(taken)
            left[holding.id] = replace(holding, size=rest.size, disk=rest.disk)
            amount, needed = amount.beyond(taken), needed.beyond(taken)
    return needed


def pieces(ledger: Ledger, owner: str, amount: Capacity) -> list[LedgerWorkload]:
    """New holdings for `amount`, none larger than `HOLDING_UNIT`, not placed yet. Names hold a colon,
    which no server's does."""
    names = (ServerId(f"holding:{owner}:{number}") for number in _numbers())
    free = (name for name in names if name not in ledger.workloads)
    count = max(-(-amount.vcpu // HOLDING_UNIT.vcpu), -(-amount.memory // HOLDING_UNIT.memory), 1)
    zone = _scarcest_zone(ledger)
    found = []
    left = amount
    for number in range(count if amount else 0):
        share = Capacity(
            HOLDING_UNIT.vcpu, HOLDING_UNIT.memory, GiB(-(-left.disk // (count - number)))
        )
        piece = left.within(share)
        left = left.beyond(piece)
        found.append(
            LedgerWorkload(
                next(free), owner, piece.size, piece.disk, zone, HOLDING_TIER, None, holding=True
            )
        )
    return found


def _numbers() -> Iterator[int]:
    number = 1
    while True:
        yield number
        number += 1


def _scarcest_zone(ledger: Ledger) -> Zone:
    """The one that the fewest hosts serve: what is held there can mostly be used in the others too."""
    serving = {zone: sum(zone in host.zones for host in ledger.hosts.values()) for zone in Zone}
    return min(
        (zone for zone in Zone if serving[zone]), key=lambda z: (serving[z], z), default=Zone.LGWAN
    )


def misplaced(ledger: Ledger) -> dict[ServerId, LedgerWorkload | None]:
    """Holdings that hold nothing, or more than is due: those on hosts that are gone or carry too much,
    those whose disk has no storage, and what goes beyond a guarantee."""
    changes: dict[ServerId, LedgerWorkload | None] = {}
    free = {host.id: host.capacity for host in ledger.hosts.values()}
    for workload in ledger.workloads.values():
        for host in workload.hosts:
            free[host] -= workload.size
    due = {
        owner: guaranteed.beyond(used(ledger, owner))
        for owner, guaranteed in ledger.guaranteed.items()
        if any(w.owner == owner for w in holdings(ledger))
    }
    for holding in holdings(ledger):
        (host,) = holding.hosts
        standing = ledger.hosts[host].standing
        pool = None if holding.storage is None else ledger.storage.get(holding.storage)
        kept = capacity_of(holding).within(due.get(holding.owner, Capacity()))
        if (
            standing is Standing.GONE
            or not NOTHING.fits_in(free[host])
            or pool is None
            or pool.used > pool.capacity
            or not kept
        ):
            changes[holding.id] = None
            free[host] += holding.size
        else:
            due[holding.owner] = due[holding.owner].beyond(kept)
            if kept != capacity_of(holding):
                changes[holding.id] = replace(holding, size=kept.size, disk=kept.disk)
    return changes


def overtaken(ledger: Ledger, moved: Mapping[ServerId, Sequence[HostId]]) -> list[ServerId]:
    """The holdings on hosts that carry too much once these servers are where they are to be."""
    found = holdings(ledger)
    if not found:
        return []
    free = {host.id: host.capacity for host in ledger.hosts.values()}
    for workload in ledger.workloads.values():
        for host in moved.get(workload.id, workload.hosts):
            free[host] -= workload.size
    gone = []
    for holding in reversed(found):
        (host,) = holding.hosts
        crowded = not NOTHING.fits_in(free[host])
        if crowded or ledger.hosts[host].standing is Standing.GONE:
            free[host] += holding.size
            gone.append(holding.id)
    return gone


def storage_of(changes: HoldingChanges) -> set[StoragePoolId]:
    return {h.storage for h in changes.values() if h is not None and h.storage is not None}

"""Tries everything: the truth about small regions, however long it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload, Standing
from control_plane.model.pool import FailureDomain
from tests.placement.executor import breaks_a_rule, domains, trouble_today


def coverable(ledger: Ledger, domain: FailureDomain, *, lasting: bool = False) -> bool:
    """Can everybody on the domain have a refuge, with the servers where they are?

    With `lasting`, a migrating server's source is a refuge only while it is open.
    """
    free = {name: h.capacity for name, h in ledger.hosts.items()}
    homes: dict[tuple[object, HostId], set[ServerId]] = {}
    for workload in ledger.workloads.values():
        for name in workload.hosts:
            free[name] -= workload.size
            homes.setdefault((workload.group, name), set()).add(workload.id)
    dying = [
        w
        for w in ledger.workloads.values()
        if any(domain in ledger.hosts[name].domains for name in w.hosts)
    ]
    dying.sort(key=lambda w: -w.size.vcpu - w.size.memory)
    options = [list(_refuges(ledger, domain, w, lasting=lasting)) for w in dying]
    taken: dict[HostId, list[LedgerWorkload]] = {}

    def search(index: int) -> bool:
        if index == len(dying):
            return True
        workload = dying[index]
        for name in options[index]:
            if name in workload.hosts:
                if search(index + 1):
                    return True
                continue
            there = taken.setdefault(name, [])
            meets = workload.group is not None and (
                homes.get((workload.group, name), set()) - {workload.id}
                or any(other.group == workload.group for other in there)
            )
            left = free[name]
            for other in there:
                left -= other.size
            if meets or not workload.size.fits_in(left):
                continue
            there.append(workload)
            if search(index + 1):
                return True
            there.pop()
        return False

    return search(0)


def _refuges(
    ledger: Ledger, domain: FailureDomain, workload: LedgerWorkload, *, lasting: bool
) -> Iterator[HostId]:
    target = workload.hosts[-1]
    for host in ledger.hosts.values():
        if domain in host.domains or host.standing is Standing.GONE:
            continue
        if host.id in workload.hosts:
            if host.standing is Standing.OPEN or not lasting or host.id == target:
                yield host.id
        elif host.standing is Standing.OPEN and not breaks_a_rule(ledger, workload, host.id):
            yield host.id


def admissible(ledger: Ledger, new: Sequence[LedgerWorkload]) -> bool:
    """Is there any choice of hosts and pools for all of `new` that leaves everybody covered?"""
    places = []
    for workload in new:
        pools = [workload.storage] if workload.storage else list(ledger.storage)
        places.append(
            [
                replace(workload, storage=pool, hosts=(h.id,))
                for h in ledger.hosts.values()
                for pool in pools
                if h.standing is Standing.OPEN
                and not breaks_a_rule(ledger, replace(workload, storage=pool), h.id)
            ]
        )
    for choice in product(*places):
        after = replace(ledger, workloads={**ledger.workloads, **{w.id: w for w in choice}})
        fits = all(
            pool.used + sum(w.disk for w in choice if w.storage == pool.id) <= pool.capacity
            for pool in ledger.storage.values()
        )
        if fits and not trouble_today(after) and all(coverable(after, d) for d in domains(after)):
            return True
    return False


def movable(ledger: Ledger, name: ServerId, target: HostId) -> bool:
    """Can it migrate there with everybody covered on the way and after its arrival?"""
    workload = ledger.workloads[name]
    there = ledger.hosts[target]
    if there.standing is not Standing.OPEN or breaks_a_rule(ledger, workload, target):
        return False
    both = replace(workload, hosts=(*workload.hosts, target))
    after = replace(ledger, workloads={**ledger.workloads, name: both})
    return not trouble_today(after) and all(
        coverable(after, domain, lasting=True) for domain in domains(after)
    )

"""Looks for what would make room, by planning it through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerHost, LedgerWorkload, Standing
from control_plane.model.pool import DomainKind, FailureDomain, Policy
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.placement.plan import Plan, apply
from control_plane.placement.refusal import Lack, Refusal
from control_plane.placement.remedy import AddHosts, MoveServer, ShrinkServer

Fits = Callable[[Ledger], bool]
"""Would the request be granted on this ledger?"""

_HOSTS_ADDED_AT_MOST = 4
_CLASSES_TRIED = 2
_SERVERS_TRIED = 6
_HALVINGS = 4
_AMOUNTS = (Lack.VCPU, Lack.MEMORY, Lack.STORAGE)


def more_hosts(
    ledger: Ledger, workload: LedgerWorkload, refusal: Refusal, fits: Fits
) -> tuple[AddHosts, ...]:
    """The fewest more hosts, of the nearest host's class or else another, with which it fits."""
    for like in _classes(ledger, workload, refusal.nearest)[:_CLASSES_TRIED]:
        for count in range(1, _HOSTS_ADDED_AT_MOST + 1):
            if fits(with_more_hosts(ledger, like, count)):
                return (AddHosts(count, like),)
    return ()


def with_more_hosts(ledger: Ledger, like: HostId, count: int) -> Ledger:
    """The ledger with `count` empty, open copies of a host."""
    hosts = dict(ledger.hosts)
    model = hosts[like]
    for number in range(1, count + 1):
        # Names hold no plus sign, so the copy meets no host of that name.
        name = HostId(f"{like}+{number}")
        domains = {domain for domain in model.domains if domain.kind is not DomainKind.HOST}
        domains.add(FailureDomain(DomainKind.HOST, name))
        hosts[name] = replace(model, id=name, domains=frozenset(domains))
    return replace(ledger, hosts=hosts)


def _classes(ledger: Ledger, workload: LedgerWorkload, nearest: HostId | None) -> list[HostId]:
    """One open host of every class that may carry the workload, the nearest host's class first,
    then the largest."""
    hosts = [host for host in ledger.hosts.values() if _may_carry(host, workload)]
    hosts.sort(key=lambda host: (host.id != nearest, -host.capacity.memory, host.id))
    seen: dict[tuple[object, ...], HostId] = {}
    for host in hosts:
        seen.setdefault(_class(host), host.id)
    return list(seen.values())


def _may_carry(host: LedgerHost, workload: LedgerWorkload) -> bool:
    return (
        host.standing is Standing.OPEN
        and workload.zone in host.zones
        and workload.traits <= host.traits
        and (not workload.sites or host.site in workload.sites)
        and (workload.storage is None or workload.storage in host.storage)
        and workload.size.fits_in(host.capacity)
    )


def _class(host: LedgerHost) -> tuple[object, ...]:
    shared = frozenset(d for d in host.domains if d.kind is not DomainKind.HOST)
    return (
        host.site,
        host.capacity.vcpu,
        host.capacity.memory,
        host.zones,
        host.storage,
        host.traits,
        shared,
    )


def one_move(
    ledger: Ledger,
    refusal: Refusal,
    plan_move: Callable[[Ledger, ServerId, HostId | None], Plan | Refusal],
    fits: Fits,
) -> tuple[MoveServer, ...]:
    """One server whose move, once it has arrived, makes room."""
    if refusal.resource not in (Lack.VCPU, Lack.MEMORY):
        return ()
    # Onto a full host first: bringing servers together is what makes room for a large one.
    crowding = replace(ledger, policy=Policy.PACK)
    for server in islice(_worth_moving(ledger, refusal), _SERVERS_TRIED):
        tried = set()
        for way in (crowding, ledger):
            plan = plan_move(way, server, None)
            if isinstance(plan, Refusal):
                break
            target = plan.hosts[server]
            if target in tried:
                continue
            tried.add(target)
            # As whoever follows the advice will have it planned.
            plan = plan_move(ledger, server, target)
            if isinstance(plan, Plan) and fits(arrived(apply(ledger, plan), server)):
                return (MoveServer(server, ledger.workloads[server].hosts[0], target),)
    return ()


def arrived(ledger: Ledger, server: ServerId) -> Ledger:
    """The ledger once a migrating server has left its source."""
    workload = ledger.workloads[server]
    there = replace(workload, hosts=workload.hosts[-1:])
    return replace(ledger, workloads={**ledger.workloads, server: there})


def _worth_moving(ledger: Ledger, refusal: Refusal) -> Iterator[ServerId]:
    """Servers of the host that lacks room, the smallest that would make enough of it first; then
    those of the domain whose death asks too much."""

    def amount(workload: LedgerWorkload) -> int:
        vcpu = refusal.resource is Lack.VCPU
        return workload.size.vcpu if vcpu else workload.size.memory

    def usefulness(workload: LedgerWorkload) -> tuple[bool, int, ServerId]:
        enough = amount(workload) >= refusal.shortfall
        return not enough, amount(workload) if enough else -amount(workload), workload.id

    movable = [
        w
        for w in ledger.workloads.values()
        if len(w.hosts) == 1 and w.id != refusal.workload and not w.holding
    ]
    on_nearest = [w for w in movable if w.hosts[0] == refusal.nearest]
    in_domain = [
        w
        for w in movable
        if w.hosts[0] != refusal.nearest and refusal.failure in ledger.hosts[w.hosts[0]].domains
    ]
    half = _SERVERS_TRIED // 2 if in_domain else _SERVERS_TRIED
    for workload in sorted(on_nearest, key=usefulness)[:half]:
        yield workload.id
    for workload in sorted(in_domain, key=usefulness):
        yield workload.id


def smaller(
    workload: LedgerWorkload, refusal: Refusal, fits: Callable[[LedgerWorkload], bool]
) -> tuple[ShrinkServer, ...]:
    """A smaller size of the refused workload with which it fits."""
    if refusal.resource not in _AMOUNTS:
        return ()
    for size, disk in _sizes(workload, refusal):
        if fits(replace(workload, size=size, disk=disk)):
            return (ShrinkServer(workload.id, size, disk),)
    return ()


def _sizes(workload: LedgerWorkload, refusal: Refusal) -> Iterator[tuple[Resources, GiB]]:
    size, disk, less = workload.size, workload.disk, refusal.shortfall
    if refusal.resource is Lack.STORAGE:
        if disk > less:
            yield size, GiB(disk - less)
        return
    if refusal.resource is Lack.VCPU and size.vcpu > less:
        yield Resources(VCpu(size.vcpu - less), size.memory), disk
    if refusal.resource is Lack.MEMORY and size.memory > less:
        yield Resources(size.vcpu, MiB(size.memory - less)), disk
    for _ in range(_HALVINGS):
        size = Resources(VCpu(max(1, size.vcpu // 2)), MiB(max(1, size.memory // 2)))
        yield size, disk

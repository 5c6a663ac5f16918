"""Verifies a certificate in linear time. It shares no code with the planner that made it.

What it holds to be true: every host carries what stands on it; every workload meets its rules where
it stands; and for every promised domain, every workload on it has a refuge outside, open and within
its rules, such that for each host all that flees there from one domain fits into what is free, and
members of a group never meet. A migrating workload lives on at whichever of its hosts is left.
Entries about domains that a workload does not stand on are never executed and are passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from control_plane.model.ids import GroupId, HostId
from control_plane.model.ledger import Ledger, LedgerHost, LedgerWorkload, Standing
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.model.units import NOTHING, Resources
from control_plane.placement.violation import Broken, Violation


def check(ledger: Ledger) -> tuple[Violation, ...]:
    """Everything that is wrong; empty when the ledger's certificate is valid for it."""
    return (*_as_it_stands(ledger), *_when_a_domain_dies(ledger))


def _as_it_stands(ledger: Ledger) -> Iterator[Violation]:
    load: dict[HostId, Resources] = defaultdict(lambda: NOTHING)
    homes: set[tuple[GroupId, HostId]] = set()
    for workload in ledger.workloads.values():
        for name in workload.hosts:
            host = ledger.hosts.get(name)
            if host is None:
                yield Violation(None, workload.id, name, Broken.UNKNOWN_HOST)
                continue
            load[name] += workload.size
            yield from _too_much(None, workload, name, load[name], host.capacity)
            if rule := _broken_rule(workload, host):
                yield Violation(None, workload.id, name, rule)
            if workload.storage not in ledger.storage:
                yield Violation(None, workload.id, name, Broken.STORAGE)
            if workload.group is not None:
                if (workload.group, name) in homes:
                    yield Violation(None, workload.id, name, Broken.ANTI_AFFINITY)
                homes.add((workload.group, name))
    for pool in ledger.storage.values():
        if pool.used > pool.capacity:
            over = pool.used - pool.capacity
            yield Violation(None, None, None, Broken.STORAGE, over, "GiB")


def _when_a_domain_dies(ledger: Ledger) -> Iterator[Violation]:
    kinds = ledger.promised | {DomainKind.HOST} if ledger.promised else frozenset()
    free = {name: host.capacity for name, host in ledger.hosts.items()}
    homes: dict[tuple[GroupId | None, HostId], bool] = defaultdict(bool)
    for workload in ledger.workloads.values():
        for name in workload.hosts:
            homes[workload.group, name] = True
            if name in free:
                free[name] -= workload.size
    taken: dict[tuple[FailureDomain, HostId], Resources] = defaultdict(lambda: NOTHING)
    meeting: set[tuple[FailureDomain, GroupId, HostId]] = set()
    for workload in ledger.workloads.values():
        stands = [ledger.hosts[name] for name in workload.hosts if name in ledger.hosts]
        for domain in sorted({d for host in stands for d in host.domains if d.kind in kinds}):
            named = ledger.certificate.refuges.get((domain, workload.id))
            rule = _broken_refuge(ledger, workload, domain, named)
            if rule is not None or named is None:
                yield Violation(domain, workload.id, named, rule or Broken.NO_REFUGE)
            elif named not in workload.hosts:
                if workload.group is not None:
                    together = (domain, workload.group, named)
                    if together in meeting or homes[workload.group, named]:
                        yield Violation(domain, workload.id, named, Broken.ANTI_AFFINITY)
                    meeting.add(together)
                total = taken[domain, named] = taken[domain, named] + workload.size
                yield from _too_much(domain, workload, named, total, free[named])


def _broken_refuge(
    ledger: Ledger, workload: LedgerWorkload, domain: FailureDomain, named: HostId | None
) -> Broken | None:
    if named is None:
        return Broken.NO_REFUGE
    refuge = ledger.hosts.get(named)
    if refuge is None:
        return Broken.UNKNOWN_HOST
    if domain in refuge.domains:
        return Broken.INSIDE
    if named in workload.hosts:
        return Broken.STANDING if refuge.standing is Standing.GONE else None
    if refuge.standing is not Standing.OPEN:
        return Broken.STANDING
    return _broken_rule(workload, refuge)


def _broken_rule(workload: LedgerWorkload, host: LedgerHost) -> Broken | None:
    if workload.sites and host.site not in workload.sites:
        return Broken.SITE
    if workload.zone not in host.zones:
        return Broken.ZONE
    if not workload.traits <= host.traits:
        return Broken.TRAIT
    return None if workload.storage in host.storage else Broken.STORAGE_REACH


def _too_much(
    domain: FailureDomain | None,
    workload: LedgerWorkload,
    host: HostId,
    total: Resources,
    room: Resources,
) -> Iterator[Violation]:
    """Named for every workload that finds the host full, with what is wanting by then."""
    lacks = total.shortfall_in(room)
    if lacks.vcpu and workload.size.vcpu:
        yield Violation(domain, workload.id, host, Broken.VCPU, lacks.vcpu, "vCPU")
    if lacks.memory and workload.size.memory:
        yield Violation(domain, workload.id, host, Broken.MEMORY, lacks.memory, "MiB")

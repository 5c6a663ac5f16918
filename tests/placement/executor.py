"""Carries a certificate out: kills a domain for real and looks at what is left."""

from __future__ import annotations

from collections import Counter

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload, Standing
from control_plane.model.pool import DomainKind, FailureDomain


def domains(ledger: Ledger) -> list[FailureDomain]:
    kinds = ledger.promised | {DomainKind.HOST}
    return sorted({d for h in ledger.hosts.values() for d in h.domains if d.kind in kinds})


def breaks_a_rule(ledger: Ledger, workload: LedgerWorkload, host: HostId) -> bool:
    there = ledger.hosts[host]
    return not (
        workload.zone in there.zones
        and workload.traits <= there.traits
        and (not workload.sites or there.site in workload.sites)
        and workload.storage in there.storage
    )


def crowding(ledger: Ledger, places: dict[ServerId, set[HostId]]) -> list[str]:
    """What is wrong with servers standing at these places."""
    wrong = []
    for host in ledger.hosts.values():
        here = [ledger.workloads[name] for name, hosts in places.items() if host.id in hosts]
        if sum(w.size.vcpu for w in here) > host.capacity.vcpu:
            wrong.append(f"{host.id} has too few vCPU")
        if sum(w.size.memory for w in here) > host.capacity.memory:
            wrong.append(f"{host.id} has too little memory")
        groups = Counter(w.group for w in here if w.group is not None)
        wrong += [f"{group} meets on {host.id}" for group, count in groups.items() if count > 1]
    for name, hosts in places.items():
        wrong += [
            f"{name} may not be on {host}"
            for host in sorted(hosts)
            if breaks_a_rule(ledger, ledger.workloads[name], host)
        ]
    return wrong


def trouble_today(ledger: Ledger) -> list[str]:
    return crowding(ledger, {name: set(w.hosts) for name, w in ledger.workloads.items()})


def trouble_when_it_dies(ledger: Ledger, domain: FailureDomain) -> list[str]:
    """Kill every host of the domain, restart what was on them at its refuges, and look."""
    dead = {h.id for h in ledger.hosts.values() if domain in h.domains}
    wrong = []
    places: dict[ServerId, set[HostId]] = {}
    for name, workload in ledger.workloads.items():
        left = set(workload.hosts) - dead
        if not set(workload.hosts) & dead:
            places[name] = left
            continue
        refuge = ledger.certificate.refuges.get((domain, name))
        if refuge is None or refuge not in ledger.hosts or refuge in dead:
            wrong.append(f"{name} has nowhere to go when {domain} dies")
            continue
        standing = ledger.hosts[refuge].standing
        if standing is Standing.GONE or (standing is Standing.CLOSED and refuge not in left):
            wrong.append(f"{name} would go to {refuge}, which takes nothing")
        # A server that was migrating goes on where it is left, and may be brought to its refuge.
        places[name] = left | {refuge}
    return wrong + crowding(ledger, places)


def trouble(ledger: Ledger) -> list[str]:
    return [
        *trouble_today(ledger),
        *(what for domain in domains(ledger) for what in trouble_when_it_dies(ledger, domain)),
    ]

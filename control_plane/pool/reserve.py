"""What hosts carry and what they keep free for the worst failure: read off the ledger. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from control_plane.model.ids import HostId
from control_plane.model.ledger import Ledger, LedgerHost, Standing
from control_plane.model.pool import FailureDomain
from control_plane.model.units import NOTHING, MiB, Resources, VCpu


@dataclass(frozen=True, slots=True)
class HostReserve:
    """`size` is, resource by resource, the most that any one failure would bring to the host;
    `failure` is the one that brings the most memory."""

    failure: FailureDomain
    size: Resources


def used(ledger: Ledger) -> Mapping[HostId, Resources]:
    """What servers hold on each host; a migrating server holds room on both."""
    held: dict[HostId, Resources] = dict.fromkeys(ledger.hosts, NOTHING)
    for workload in ledger.workloads.values():
        for host in workload.hosts:
            held[host] = held.get(host, NOTHING) + workload.size
    return held


def reserves(ledger: Ledger) -> Mapping[HostId, HostReserve]:
    """The reserve of every host that is a refuge. Only one failure domain dies at a time, so it is
    the largest of the failures' sums and not their total."""
    brought: dict[HostId, dict[FailureDomain, Resources]] = defaultdict(dict)
    for (failure, server), refuge in ledger.certificate.refuges.items():
        sums = brought[refuge]
        sums[failure] = sums.get(failure, NOTHING) + ledger.workloads[server].size
    return {
        host: HostReserve(
            failure=max(sums, key=lambda failure: (sums[failure].memory, failure)),
            size=Resources(
                VCpu(max(size.vcpu for size in sums.values())),
                MiB(max(size.memory for size in sums.values())),
            ),
        )
        for host, sums in brought.items()
    }


def hosts_worth(reserve: Resources, hosts: Iterable[LedgerHost]) -> float:
    """How many mean open hosts the reserve amounts to, by the resource of which it takes more."""
    open_hosts = [host.capacity for host in hosts if host.standing is Standing.OPEN]
    vcpu = sum(capacity.vcpu for capacity in open_hosts)
    memory = sum(capacity.memory for capacity in open_hosts)
    if vcpu == 0 or memory == 0:
        return 0.0
    return max(reserve.vcpu / vcpu, reserve.memory / memory) * len(open_hosts)

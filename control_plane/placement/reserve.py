"""What the promise costs: the room that is kept free so that any one domain may die."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.model.ids import HostId
from control_plane.model.ledger import Ledger, Standing
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.model.units import NOTHING, MiB, Resources, VCpu


@dataclass(frozen=True, slots=True)
class Reserve:
    """`by_host` is what each host keeps free: for each resource the largest amount that it would
    take over when any one promised domain dies. `capacity` and `used` are those of all hosts that
    are not gone, `hosts` their number."""

    by_host: Mapping[HostId, Resources]
    reserved: Resources
    used: Resources
    capacity: Resources
    hosts: int

    @property
    def hosts_worth(self) -> float:
        """The reserve in average hosts of this pool, by the resource that weighs more."""
        return self.hosts * self.share

    @property
    def share(self) -> float:
        """The part of the whole capacity that is kept free, 0 to 1, by the same resource."""
        parts = (
            (self.reserved.vcpu, self.capacity.vcpu),
            (self.reserved.memory, self.capacity.memory),
        )
        return max((kept / whole for kept, whole in parts if whole > 0), default=0.0)


def reserve(ledger: Ledger) -> Reserve:
    """The cost of the certificate as it stands. Pure and linear in the size of the ledger."""
    promised = ledger.promised | {DomainKind.HOST} if ledger.promised else frozenset()
    moved: dict[tuple[FailureDomain, HostId], Resources] = defaultdict(lambda: NOTHING)
    for (domain, server), refuge in ledger.certificate.refuges.items():
        workload = ledger.workloads.get(server)
        if workload is None or refuge in workload.hosts or domain.kind not in promised:
            continue
        if any(domain in ledger.hosts[host].domains for host in workload.hosts):
            moved[domain, refuge] += workload.size
    by_host: dict[HostId, Resources] = {}
    for (_, refuge), size in moved.items():
        most = by_host.get(refuge, NOTHING)
        by_host[refuge] = Resources(
            VCpu(max(most.vcpu, size.vcpu)), MiB(max(most.memory, size.memory))
        )
    working = [host for host in ledger.hosts.values() if host.standing is not Standing.GONE]
    names = {host.id for host in working}
    used = (w.size for w in ledger.workloads.values() for host in w.hosts if host in names)
    return Reserve(
        by_host=dict(sorted(by_host.items())),
        reserved=sum(by_host.values(), NOTHING),
        used=sum(used, NOTHING),
        capacity=sum((host.capacity for host in working), NOTHING),
        hosts=len(working),
    )

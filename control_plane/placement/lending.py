"""What a pool could lend beyond what it holds and what it keeps free for failures."""

from __future__ import annotations

from control_plane.model.allotment import Capacity
from control_plane.model.ledger import Ledger, Standing
from control_plane.model.units import NOTHING, GiB, MiB, Resources, VCpu
from control_plane.placement.reserve import reserve


def lendable(ledger: Ledger) -> Capacity:
    """The sums over all open hosts and storage pools: nobody can be lent more than this. How large
    one server may be, and what its own refuge takes, only an admission tells."""
    kept = reserve(ledger).by_host
    free = {host.id: host.capacity for host in ledger.hosts.values()}
    for workload in ledger.workloads.values():
        for name in workload.hosts:
            if name in free:
                free[name] -= workload.size
    vcpu = memory = 0
    for host in ledger.hosts.values():
        if host.standing is Standing.OPEN:
            left: Resources = free[host.id] - kept.get(host.id, NOTHING)
            vcpu += max(0, left.vcpu)
            memory += max(0, left.memory)
    disk = sum(max(0, pool.capacity - pool.used) for pool in ledger.storage.values())
    return Capacity(VCpu(vcpu), MiB(memory), GiB(disk))

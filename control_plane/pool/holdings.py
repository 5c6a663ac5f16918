"""What hosts carry, and which failure asks the most of them: read off the ledger. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from control_plane.model.ids import HostId
from control_plane.model.ledger import Ledger
from control_plane.model.pool import FailureDomain
from control_plane.model.units import NOTHING, Resources


def used(ledger: Ledger) -> Mapping[HostId, Resources]:
    """What servers hold on each host; a migrating server holds room on both."""
    return _sums(ledger, holding=False)


def held_for_guarantees(ledger: Ledger) -> Mapping[HostId, Resources]:
    """What is kept on each host for guarantees that are not used."""
    return _sums(ledger, holding=True)


def _sums(ledger: Ledger, *, holding: bool) -> Mapping[HostId, Resources]:
    held: dict[HostId, Resources] = dict.fromkeys(ledger.hosts, NOTHING)
    for workload in ledger.workloads.values():
        if workload.holding is holding:
            for host in workload.hosts:
                held[host] = held.get(host, NOTHING) + workload.size
    return held


def worst_failures(ledger: Ledger) -> Mapping[HostId, FailureDomain]:
    """For every host that is a refuge, the failure that would bring it the most memory."""
    brought: dict[HostId, dict[FailureDomain, int]] = defaultdict(lambda: defaultdict(int))
    for (failure, server), refuge in ledger.certificate.refuges.items():
        workload = ledger.workloads.get(server)
        # A server on the move may have its other end as refuge, where it holds its room already.
        if workload is not None and refuge not in workload.hosts:
            brought[refuge][failure] += workload.size.memory
    return {
        host: max(sums, key=lambda failure: (sums[failure], failure))
        for host, sums in brought.items()
    }

"""Writes a plan's promises together with the generations that they rest on."""

from __future__ import annotations

from collections.abc import Iterable

from control_plane.model.ids import HostId
from control_plane.model.ledger import Ledger
from control_plane.store import RefugeChanges, Transaction


def guard(
    tx: Transaction, ledger: Ledger, touched: Iterable[HostId], refuges: RefugeChanges
) -> None:
    """Claim every host that the plan uses: those it says it touched, and, whatever it says, each
    refuge it takes or gives up, and the hosts of servers whose refuge it changes."""
    claimed = set(touched)
    for key, refuge in refuges.items():
        workload = ledger.workloads.get(key[1])
        before = ledger.certificate.refuges.get(key)
        claimed.update(workload.hosts if workload is not None else ())
        claimed.update(host for host in (refuge, before) if host is not None)
    tx.guard_hosts({host: ledger.hosts[host].generation for host in claimed})

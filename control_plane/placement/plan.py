"""A decision and what it does to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from control_plane.model.ids import HostId, ServerId, StoragePoolId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload
from control_plane.model.pool import FailureDomain
from control_plane.model.units import GiB
from control_plane.placement.holdings import HoldingChanges, with_holdings


@dataclass(frozen=True, slots=True)
class Plan:
    """Where workloads go, and every change of the certificate that this asks for.

    `hosts` and `storage` name the planned workloads only. `refuges` holds changes only; None takes
    a refuge away. `touched` is every host whose load or reserve changes: as long as none of them
    has changed meanwhile, the plan is still right. `workloads` are the planned workloads as they
    stand once the plan is in force; a migrating one holds its source, then its target. `holdings` are
    the changes of what is kept for guarantees; None gives a holding up, and with it its refuges.
    """

    hosts: Mapping[ServerId, HostId]
    storage: Mapping[ServerId, StoragePoolId]
    refuges: Mapping[tuple[FailureDomain, ServerId], HostId | None]
    touched: frozenset[HostId]
    workloads: Mapping[ServerId, LedgerWorkload]
    holdings: HoldingChanges = field(default_factory=dict)


def apply(ledger: Ledger, plan: Plan) -> Ledger:
    """The ledger after the plan. A new volume is added to its pool's `used`."""
    ledger = with_holdings(ledger, plan.holdings)
    storage = dict(ledger.storage)
    for server, workload in plan.workloads.items():
        before = ledger.workloads.get(server)
        if workload.storage is None or (before is not None and before.storage is not None):
            continue
        pool = storage[workload.storage]
        storage[pool.id] = replace(pool, used=GiB(pool.used + workload.disk))
    refuges = dict(ledger.certificate.refuges)
    for key, refuge in plan.refuges.items():
        if refuge is None:
            refuges.pop(key, None)
        else:
            refuges[key] = refuge
    return replace(
        ledger,
        workloads={**ledger.workloads, **plan.workloads},
        storage=storage,
        certificate=Certificate(refuges),
    )

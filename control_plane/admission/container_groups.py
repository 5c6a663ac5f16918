"""Whether a container group could be placed, with its promise, where there are hosts for such groups."""

from __future__ import annotations

from control_plane.admission import quota
from control_plane.admission.refusal import no_room
from control_plane.model.allotment import Capacity
from control_plane.model.container_group import PLATFORM_TRAIT, ContainerGroup
from control_plane.model.ids import GroupId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.model.units import GiB
from control_plane.placement import Refusal, plan_admission
from control_plane.store import Transaction


def check(tx: Transaction, group: ContainerGroup, before: ContainerGroup | None = None) -> Ledger:
    """The ledger, on which the group would fit if it had to be placed now. Where no host of the region is
    for container groups, that is not known, and nothing is refused for it. Call it before writing the
    group in the same transaction; of one that changes only what it grows by, from `before`, is asked for.

    Raises `quota-exceeded`, `member-leaving`, `no-room`, LostRace."""
    had = Capacity() if before is None else before.counted
    quota.check_on_record(tx, group.region, group.tenant, group.counted.beyond(had))
    ledger = tx.ledger(group.region)
    if any(PLATFORM_TRAIT in host.traits for host in ledger.hosts.values()):
        answer = plan_admission(ledger, workloads_of(group))
        if isinstance(answer, Refusal):
            raise no_room(answer)
    return ledger


def workloads_of(group: ContainerGroup) -> list[LedgerWorkload]:
    """Each copy, as placement sees it. No server is named like this: names hold no slash."""
    return [
        LedgerWorkload(
            id=ServerId(f"{group.name}/{number}"),
            owner=group.tenant.text,
            size=group.size,
            disk=GiB(0),
            zone=group.zone,
            tier=group.tier,
            storage=None,
            group=GroupId(group.id),
            traits=frozenset({PLATFORM_TRAIT}),
        )
        for number in range(1, group.replicas + 1)
    ]

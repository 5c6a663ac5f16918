"""Admits new servers: all of a request, with its promise, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from control_plane.admission.commit import guard
from control_plane.admission.new_server import NewServer, Resolved, resolve
from control_plane.admission.refusal import no_room
from control_plane.admission.settle import settle
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.pool import FailureDomain
from control_plane.model.workload import Server
from control_plane.placement import Plan, Refusal, plan_admission
from control_plane.store import Store, Transaction, already_exists

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Admitted(Generic[T_co]):
    """What was admitted, or would have been in a dry run: the servers as placed, the plan with its
    refuges, and what `finish` returned."""

    servers: tuple[Server, ...]
    plan: Plan | None
    result: T_co
    dry_run: bool

    @property
    def refuges(self) -> dict[tuple[FailureDomain, ServerId], HostId | None]:
        """The refuges that the plan takes or gives up; empty where nothing was asked for."""
        return {} if self.plan is None else dict(self.plan.refuges)


def admit(
    store: Store,
    region: RegionId,
    prepare: Callable[[Transaction], Sequence[NewServer]],
    finish: Callable[[Transaction, Sequence[Server]], T],
    *,
    dry_run: bool = False,
) -> Admitted[T]:
    """Place and promise the servers that `prepare` asks for, in one transaction with everything
    that `prepare` (members, systems) and `finish` (operation, audit, events) write.

    Both may be called again after a lost race, each time on what is then so. With `dry_run`
    everything is worked out and nothing kept. Raises `no-room` with the planner's explanation,
    `region-not-found`, `server-exists`, whatever `resolve`, `prepare` and `finish` refuse, `addresses-exhausted`,
    and LostRace when the region never comes to rest.
    """

    def decide(tx: Transaction) -> Admitted[T]:
        wanted = [resolve(tx, region, new) for new in prepare(tx)]
        plan, servers = _place(tx, region, wanted) if wanted else (None, ())
        return Admitted(servers, plan, finish(tx, servers), dry_run)

    return settle(store, region, decide, dry_run=dry_run)


def _place(
    tx: Transaction, region: RegionId, wanted: Sequence[Resolved]
) -> tuple[Plan, tuple[Server, ...]]:
    ledger = tx.ledger(region)
    _refuse_taken_ids(ledger, wanted)
    plan = plan_admission(ledger, [one.workload() for one in wanted])
    if isinstance(plan, Refusal):
        raise no_room(plan)
    tx.hold_storage(*plan.storage.values())
    guard(tx, ledger, plan.touched | set(plan.hosts.values()), plan.refuges)
    servers = []
    for one in wanted:
        storage = plan.storage[one.new.id]
        address = tx.allocate_address(tx.site_of_storage(storage))
        placed = one.placed(plan.hosts[one.new.id], storage, address)
        servers.append(tx.add_server(placed))
    tx.set_refuges(region, plan.refuges)
    return plan, tuple(servers)


def _refuse_taken_ids(ledger: Ledger, wanted: Sequence[Resolved]) -> None:
    taken = set(ledger.workloads)
    for one in wanted:
        if one.new.id in taken:
            raise already_exists("server", one.new.id)
        taken.add(one.new.id)

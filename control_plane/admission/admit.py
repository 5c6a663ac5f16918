"""Admits new servers: all of a request, with its promise, or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from control_plane.admission import quota
from control_plane.admission.commit import guard
from control_plane.admission.new_server import NewServer, Resolved, resolve
from control_plane.admission.refusal import no_room
from control_plane.admission.settle import settle
from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.model.pool import FailureDomain
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server
from control_plane.placement import Plan, Refusal, plan_admission, storage_of
from control_plane.store import LostRace, Store, Transaction, already_exists

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Admitted(Generic[T_co]):
    """What was admitted, or would have been in a dry run: the servers as placed, the plan with its
    refuges, the ledger that it was made on, and what `finish` returned."""

    servers: tuple[Server, ...]
    plan: Plan | None
    ledger: Ledger
    result: T_co
    dry_run: bool

    @property
    def refuges(self) -> dict[tuple[FailureDomain, ServerId], HostId | None]:
        """The refuges that the plan takes or gives up; empty where nothing was asked for."""
        return {} if self.plan is None else dict(self.plan.refuges)


@dataclass(frozen=True, slots=True)
class _Request:
    wanted: tuple[Resolved, ...]
    ledger: Ledger

    def workloads(self) -> list[LedgerWorkload]:
        return [one.workload() for one in self.wanted]


@dataclass(slots=True)
class _Reading:
    """The ledger for planning and for keeping the plan: read once where nothing can have been written
    in between."""

    store: Store
    region: RegionId
    _known: tuple[object, Ledger] | None = None

    def ledger(self, tx: Transaction) -> Ledger:
        # Within a writer's transaction no other one comes to its end where the store knows of all.
        moment = self.store.moment_of_all
        if moment is not None and self._known is not None and self._known[0] is moment:
            return self._known[1]
        ledger = tx.ledger(self.region)
        self._known = None if moment is None else (moment, ledger)
        return ledger


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

    Both may be called several times, each time on what is then so, and only the last call stays:
    they must touch nothing but their transaction. Where `prepare` chooses other ids each time,
    those that were planned with are taken. With `dry_run` everything is worked out and nothing
    kept. Raises `no-room` with the planner's explanation, `region-not-found`, `server-exists`,
    `quota-exceeded`, whatever `resolve`, `prepare` and `finish` refuse, `addresses-exhausted`, and LostRace when the
    region never comes to rest.
    """

    reading = _Reading(store, region)

    def read(tx: Transaction) -> _Request:
        wanted = tuple(resolve(tx, region, new) for new in prepare(tx))
        _check_quotas(tx, region, wanted)
        ledger = reading.ledger(tx)
        _refuse_taken_ids(ledger, wanted)
        return _Request(wanted, ledger)

    def keep(tx: Transaction, then: _Request, now: _Request, plan: Plan | None) -> Admitted[T]:
        request = _as_planned(then, now)
        servers = () if plan is None else _place(tx, then.ledger, request, plan)
        return Admitted(servers, plan, then.ledger, finish(tx, servers), dry_run)

    return settle(store, region, read, _plan, keep, dry_run=dry_run)


def _plan(request: _Request) -> Plan | None:
    if not request.wanted:
        return None
    answer = plan_admission(request.ledger, request.workloads())
    if isinstance(answer, Refusal):
        raise no_room(answer)
    return answer


def _place(
    tx: Transaction, planned_on: Ledger, request: _Request, plan: Plan
) -> tuple[Server, ...]:
    pools = {*plan.storage.values(), *storage_of(plan.holdings)}
    tx.hold_storage(*pools)
    for pool in pools:
        if request.ledger.storage.get(pool) != planned_on.storage[pool]:
            raise LostRace(f"storage pool {pool}")
    guard(tx, planned_on, plan.touched | set(plan.hosts.values()), plan.refuges)
    servers = []
    for one in request.wanted:
        storage = plan.storage[one.new.id]
        network = tx.ensure_network(one.system.tenant, one.system.region, one.system.zone)
        address = tx.address_in(network, tx.site_of_storage(storage))
        placed = one.placed(plan.hosts[one.new.id], storage, address)
        servers.append(tx.add_server(placed))
        if one.new.user_data:
            tx.put_user_data(one.new.id, one.new.user_data)
    tx.set_holdings(planned_on.region, plan.holdings)
    tx.set_refuges(planned_on.region, plan.refuges)
    return tuple(servers)


def _as_planned(then: _Request, now: _Request) -> _Request:
    """What is asked for now, under the ids that were planned with. Raises LostRace when something
    else is asked for, or other promises are in force."""
    same_rules = (then.ledger.policy, then.ledger.promised) == (
        now.ledger.policy,
        now.ledger.promised,
    )
    if not same_rules or _nameless(then.workloads()) != _nameless(now.workloads()):
        raise LostRace("what was asked for")
    wanted = tuple(
        replace(one, new=replace(one.new, id=planned.new.id))
        for planned, one in zip(then.wanted, now.wanted, strict=True)
    )
    return _Request(wanted, now.ledger)


def _nameless(workloads: Sequence[LedgerWorkload]) -> list[LedgerWorkload]:
    return [replace(workload, id=ServerId("")) for workload in workloads]


def _check_quotas(tx: Transaction, region: RegionId, wanted: Sequence[Resolved]) -> None:
    asked: defaultdict[MunicipalityCode, Capacity] = defaultdict(Capacity)
    for one in wanted:
        asked[one.system.tenant] += Capacity.of(one.flavor.size, one.flavor.disk)
    for tenant in sorted(asked, key=str):
        quota.check(tx, region, tenant, asked[tenant])


def _refuse_taken_ids(ledger: Ledger, wanted: Sequence[Resolved]) -> None:
    taken = set(ledger.workloads)
    for one in wanted:
        if one.new.id in taken:
            raise already_exists("server", one.new.id)
        taken.add(one.new.id)

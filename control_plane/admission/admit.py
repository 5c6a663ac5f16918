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
from control_plane.admission.settle import (
    PATIENCE_IN_QUEUE,
    settle,
    settle_in_turn,
    turns_of,
)
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
class _Wish(Generic[T]):
    prepare: Callable[[Transaction], Sequence[NewServer]]
    finish: Callable[[Transaction, Sequence[Server]], T]


@dataclass(frozen=True, slots=True)
class _Request:
    """What each wish comes to."""

    wanted: tuple[tuple[Resolved, ...], ...]
    ledger: Ledger

    @property
    def all(self) -> list[Resolved]:
        return [one for wish in self.wanted for one in wish]


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
    together: bool = False,
) -> Admitted[T]:
    """Place and promise the servers that `prepare` asks for, in one transaction with everything
    that `prepare` (members, systems) and `finish` (operation, audit, events) write.

    Both may be called several times, each time on what is then so, and only the last call stays:
    they must touch nothing but their transaction. Where `prepare` chooses other ids each time,
    those that were planned with are taken. With `dry_run` everything is worked out and nothing
    kept. With `together` it may be decided with others of this process that wait, in one transaction and
    by another's thread; `prepare` then writes nothing, and the answer tells of this one's part alone.

    Raises `no-room` with the planner's explanation, `region-not-found`, `server-exists`,
    `quota-exceeded`, whatever `resolve`, `prepare` and `finish` refuse, `addresses-exhausted`, and
    LostRace when the region never comes to rest.
    """
    mine = _Wish(prepare, finish)
    if dry_run or not together:
        (admitted,) = settle(
            store, region, *_decision(store, region, [mine], dry_run), dry_run=dry_run
        )
        return admitted

    def decide(wishes: Sequence[_Wish[T]]) -> Sequence[Admitted[T]]:
        return settle_in_turn(store, region, *_decision(store, region, wishes, dry_run))

    # One decision for all who wait takes little longer than for one of them.
    return turns_of(store, region).together(
        mine, decide, lambda wish: decide([wish])[0], PATIENCE_IN_QUEUE
    )


def _decision(
    store: Store, region: RegionId, wishes: Sequence[_Wish[T]], dry_run: bool
) -> tuple[
    Callable[[Transaction], _Request],
    Callable[[_Request], Plan | None],
    Callable[[Transaction, _Request, _Request, Plan | None], Sequence[Admitted[T]]],
]:
    """What to settle: how the wishes are read, planned and kept, all of them or none."""
    reading = _Reading(store, region)

    def wanted(tx: Transaction, wish: _Wish[T]) -> tuple[Resolved, ...]:
        found = tuple(resolve(tx, region, new) for new in wish.prepare(tx))
        _check_quotas(tx, region, found)
        return found

    def read(tx: Transaction) -> _Request:
        ledger = reading.ledger(tx)
        request = _Request(tuple(wanted(tx, wish) for wish in wishes), ledger)
        _refuse_taken_ids(ledger, request.all)
        return request

    def keep(
        tx: Transaction, then: _Request, now: _Request, plan: Plan | None
    ) -> Sequence[Admitted[T]]:
        request = _as_planned(then, now)
        placed: list[tuple[Server, ...]] = []
        if plan is None:
            placed = [() for _ in wishes]
        else:
            _claim(tx, then.ledger, request, plan)
            for number, (wish, one) in enumerate(zip(wishes, request.wanted, strict=True)):
                # What the ones before it have taken is no longer there for this one.
                if number and _nameless(wanted(tx, wish)) != _nameless(one):
                    raise LostRace("what was asked for")
                placed.append(_place(tx, one, plan))
            tx.set_holdings(region, plan.holdings)
            tx.set_refuges(region, plan.refuges)
        return [
            Admitted(
                servers, _part(plan, one, wishes), then.ledger, wish.finish(tx, servers), dry_run
            )
            for wish, one, servers in zip(wishes, request.wanted, placed, strict=True)
        ]

    return read, _plan, keep


def _plan(request: _Request) -> Plan | None:
    if not request.all:
        return None
    answer = plan_admission(request.ledger, _workloads(request.all))
    if isinstance(answer, Refusal):
        raise no_room(answer)
    return answer


def _claim(tx: Transaction, planned_on: Ledger, request: _Request, plan: Plan) -> None:
    """Hold what the plan rests on. Raises LostRace where that has changed."""
    pools = {*plan.storage.values(), *storage_of(plan.holdings)}
    tx.hold_storage(*pools)
    for pool in pools:
        if request.ledger.storage.get(pool) != planned_on.storage[pool]:
            raise LostRace(f"storage pool {pool}")
    guard(tx, planned_on, plan.touched | set(plan.hosts.values()), plan.refuges)


def _place(tx: Transaction, wanted: Sequence[Resolved], plan: Plan) -> tuple[Server, ...]:
    servers = []
    for one in wanted:
        storage = plan.storage[one.new.id]
        network = tx.ensure_network(one.system.tenant, one.system.region, one.system.zone)
        address = tx.address_in(network, tx.site_of_storage(storage))
        placed = one.placed(plan.hosts[one.new.id], storage, address)
        servers.append(tx.add_server(placed))
        if one.new.user_data:
            tx.put_user_data(one.new.id, one.new.user_data)
        if one.new.key is not None:
            tx.put_server_key(one.new.id, one.new.key)
    return tuple(servers)


def _part(plan: Plan | None, mine: Sequence[Resolved], wishes: Sequence[object]) -> Plan | None:
    """What of the plan is about those servers: nobody is told what others asked for."""
    if plan is None or len(wishes) == 1:
        return plan
    ids = {one.new.id for one in mine}
    return replace(
        plan,
        hosts={id: host for id, host in plan.hosts.items() if id in ids},
        storage={id: pool for id, pool in plan.storage.items() if id in ids},
        refuges={key: host for key, host in plan.refuges.items() if key[1] in ids},
        touched=frozenset(plan.hosts[id] for id in ids),
        workloads={id: workload for id, workload in plan.workloads.items() if id in ids},
        holdings={},
    )


def _as_planned(then: _Request, now: _Request) -> _Request:
    """What is asked for now, under the ids that were planned with. Raises LostRace when something
    else is asked for, or other promises are in force."""
    same_rules = (then.ledger.policy, then.ledger.promised) == (
        now.ledger.policy,
        now.ledger.promised,
    )
    if not same_rules or list(map(_nameless, then.wanted)) != list(map(_nameless, now.wanted)):
        raise LostRace("what was asked for")
    wanted = tuple(
        tuple(
            replace(one, new=replace(one.new, id=planned.new.id))
            for planned, one in zip(before, after, strict=True)
        )
        for before, after in zip(then.wanted, now.wanted, strict=True)
    )
    return _Request(wanted, now.ledger)


def _workloads(wanted: Sequence[Resolved]) -> list[LedgerWorkload]:
    return [one.workload() for one in wanted]


def _nameless(wanted: Sequence[Resolved]) -> list[LedgerWorkload]:
    return [replace(workload, id=ServerId("")) for workload in _workloads(wanted)]


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

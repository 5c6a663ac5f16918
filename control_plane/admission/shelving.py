"""Gives the room of a server back, and finds it room again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from control_plane.admission import quota
from control_plane.admission.commit import guard
from control_plane.admission.refusal import no_room
from control_plane.admission.settle import settle
from control_plane.admission.standing import cannot
from control_plane.model.allotment import Capacity
from control_plane.model.ids import ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.units import GiB
from control_plane.model.workload import Power, Server, Shelved, Stranded
from control_plane.placement import Plan, Refusal, plan_admission, storage_of
from control_plane.store import LostRace, Store, Transaction

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Unshelved(Generic[T_co]):
    """What was done, or would be in a dry run. `plan` is None where its room had not been given back
    yet; `result` is what `finish` returned."""

    before: Server
    after: Server
    plan: Plan | None
    ledger: Ledger
    result: T_co


@dataclass(frozen=True, slots=True)
class _Wanted:
    server: Server
    ledger: Ledger


def shelve(tx: Transaction, server: Server) -> Server:
    """Want it shelved: the reconciler stops it and then gives its room back. Of one that is stranded
    nothing is to be stopped. Raises `server-deleting`."""
    _refuse_deleting(server)
    if server.power is Power.SHELVED:
        return server
    wanted = replace(server, power=Power.SHELVED)
    match server.placement:
        case Stranded() as stranded:
            return tx.put_away(wanted, stranded.put_away())
        case _:
            return tx.save_server(wanted)


def unshelve(
    store: Store,
    server: ServerId,
    check: Callable[[Transaction, Server], None],
    finish: Callable[[Transaction, Server, Server], T],
    *,
    dry_run: bool = False,
) -> Unshelved[T]:
    """Admit it once more, as it was, and want it to run. `check` may refuse on what the server then
    is; `finish` gets it before and after. Both may be called again after a lost race.

    Raises `server-not-found`, `server-deleting`, `server-not-shelved`, `quota-exceeded`, `no-room`,
    what `check` raises, and LostRace when the region never comes to rest.
    """
    with store.read() as snapshot:
        region = snapshot.region_of(server)

    def read(tx: Transaction) -> _Wanted:
        standing = tx.server(server)
        check(tx, standing)
        _refuse_deleting(standing)
        if standing.power is not Power.SHELVED:
            raise cannot(
                standing,
                "server-not-shelved",
                "is not shelved, so there is nothing to take it out of",
                "は休止中ではないため、休止の解除は不要です",
            )
        if isinstance(standing.placement, Shelved):
            quota.check(tx, region, standing.tenant, Capacity.of(standing.size, GiB(0)))
        return _Wanted(standing, tx.ledger(region))

    def plan(wanted: _Wanted) -> Plan | None:
        if not isinstance(wanted.server.placement, Shelved):
            return None
        known = wanted.ledger.workloads[server]
        answer = plan_admission(wanted.ledger, [replace(known, size=wanted.server.size)])
        if isinstance(answer, Refusal):
            raise no_room(answer)
        return answer

    def keep(tx: Transaction, then: _Wanted, now: _Wanted, plan: Plan | None) -> Unshelved[T]:
        rules = (then.ledger.policy, then.ledger.promised)
        if then.server.generation != now.server.generation or rules != (
            now.ledger.policy,
            now.ledger.promised,
        ):
            raise LostRace(f"server {server}")
        runs = replace(now.server, power=Power.RUNNING)
        if plan is None or not isinstance(runs.placement, Shelved):
            saved = tx.save_server(runs)
        else:
            tx.hold_storage(*storage_of(plan.holdings))
            host = plan.hosts[server]
            guard(tx, then.ledger, plan.touched | {host}, plan.refuges)
            saved = tx.save_server(replace(runs, placement=runs.placement.unshelve(host)))
            tx.set_holdings(region, plan.holdings)
            tx.set_refuges(region, plan.refuges)
        return Unshelved(now.server, saved, plan, now.ledger, finish(tx, now.server, saved))

    return settle(store, region, read, plan, keep, dry_run=dry_run)


def _refuse_deleting(server: Server) -> None:
    if server.deleting:
        raise cannot(
            server,
            "server-deleting",
            "is being removed: nothing can be changed about it",
            "は削除処理中のため、変更できません",
        )

"""Gives a server another size without weakening anybody's promise: where it stands, or on another host
to which it is moved for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from control_plane.admission import quota
from control_plane.admission.commit import guard
from control_plane.admission.refusal import no_room
from control_plane.admission.settle import settle
from control_plane.admission.standing import cannot, need_placed, refuse_while_leaning
from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, Generation, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.model.workload import Flavor, Placed, Server
from control_plane.placement import (
    Plan,
    Refusal,
    growth_of,
    plan_resize,
    plan_resize_elsewhere,
)
from control_plane.store import LostRace, Store, Transaction

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Resized(Generic[T_co]):
    """What a resize did, or would do: the server before and after, the plan, the ledger that it was
    made on, and what `finish` returned. One that is `Moving` after has its size once it has arrived."""

    before: Server
    after: Server
    plan: Plan
    ledger: Ledger
    result: T_co


@dataclass(frozen=True, slots=True)
class _Wanted:
    server: Server
    placed: Placed
    flavor: Flavor
    ledger: Ledger


def resize(
    store: Store,
    server: ServerId,
    flavor: FlavorId,
    check: Callable[[Transaction, Server], None],
    finish: Callable[[Transaction, Server, Server], T],
    *,
    keep_disk: bool = False,
    dry_run: bool = False,
) -> Resized[T]:
    """Decide and record the new size with every refuge that it asks for. `check` may refuse on what
    the server then is; `finish` writes operation, audit entry and event, and gets the server before
    and after. Both may be called again after a lost race. With `keep_disk` a disk that is larger than the
    flavor's stays as it is. With `dry_run` nothing is kept.

    Raises `server-not-found`, `flavor-not-found`, `server-deleting`, `server-moving`,
    `server-stranded`, `server-disks-busy`, `disk-cannot-shrink`, `storage-full`, `quota-exceeded`, `no-room`, what `check` raises, and
    LostRace when the region never comes to rest.
    """
    with store.read() as snapshot:
        region = snapshot.region_of(server)

    def read(tx: Transaction) -> _Wanted:
        standing = tx.server(server)
        check(tx, standing)
        placed = need_placed(standing)
        refuse_while_leaning(tx, standing)
        wanted = tx.flavor(flavor)
        if keep_disk:
            wanted = replace(wanted, disk=max(wanted.disk, standing.disk))
        ledger = tx.ledger(region)
        _check_disk(standing, wanted, ledger)
        quota.check(tx, region, standing.tenant, _growth(standing, wanted))
        return _Wanted(standing, placed, wanted, ledger)

    def plan(wanted: _Wanted) -> Plan:
        answer = plan_resize(wanted.ledger, server, wanted.flavor.size)
        if isinstance(answer, Plan):
            return answer
        more = GiB(wanted.flavor.disk - wanted.server.disk)
        elsewhere = plan_resize_elsewhere(wanted.ledger, server, wanted.flavor.size, more)
        if isinstance(elsewhere, Refusal):
            raise no_room(answer)
        return elsewhere

    def keep(tx: Transaction, then: _Wanted, now: _Wanted, plan: Plan) -> Resized[T]:
        rules = (then.ledger.policy, then.ledger.promised, then.flavor)
        if then.server.generation != now.server.generation or rules != (
            now.ledger.policy,
            now.ledger.promised,
            now.flavor,
        ):
            raise LostRace(f"server {server}")
        tx.hold_storage(now.server.storage)
        room = plan.workloads.get(growth_of(server))
        if room is not None:
            return begin_moving(tx, then, now, plan, room)
        guard(tx, then.ledger, plan.touched | {then.placed.host}, plan.refuges)
        tx.leave_holding(now.server, region, Capacity.of(now.flavor.size, now.flavor.disk))
        saved = tx.save_server(_sized(now.server, now.flavor))
        tx.set_holdings(region, plan.holdings)
        tx.set_refuges(region, plan.refuges)
        return Resized(now.server, saved, plan, now.ledger, finish(tx, now.server, saved))

    def begin_moving(
        tx: Transaction, then: _Wanted, now: _Wanted, plan: Plan, room: LedgerWorkload
    ) -> Resized[T]:
        (target,) = room.hosts
        guard(tx, then.ledger, plan.touched | {then.placed.host, target}, plan.refuges)
        saved = tx.save_server(replace(now.server, placement=now.placed.move_to(target)))
        tx.set_holdings(region, plan.holdings)
        tx.add_growth(region, room, now.flavor.id, target)
        tx.set_refuges(region, plan.refuges)
        after = replace(_sized(saved, now.flavor), sized_since=saved.sized_since)
        return Resized(now.server, after, plan, now.ledger, finish(tx, now.server, after))

    return settle(store, region, read, plan, keep, dry_run=dry_run)


def _sized(server: Server, flavor: Flavor) -> Server:
    return replace(
        server,
        flavor=flavor.id,
        size=flavor.size,
        disk=flavor.disk,
        sized_since=Generation(server.generation + 1),
    )


def _growth(server: Server, flavor: Flavor) -> Capacity:
    """What the server comes to take more of; nothing where it takes less."""
    return Capacity(
        VCpu(max(0, flavor.size.vcpu - server.size.vcpu)),
        MiB(max(0, flavor.size.memory - server.size.memory)),
        GiB(max(0, flavor.disk - server.disk)),
    )


def _check_disk(server: Server, flavor: Flavor, ledger: Ledger) -> None:
    if flavor.disk < server.disk:
        raise YuiError(
            "disk-cannot-shrink",
            en=f"Server '{server.id}' has a disk of {server.disk} GiB and flavor '{flavor.id}' has {flavor.disk} GiB: a disk can only grow, so choose a flavor with at least {server.disk} GiB.",
            ja=f"サーバー「{server.id}」のディスクは {server.disk} GiB ですが、フレーバー「{flavor.id}」は {flavor.disk} GiB です。ディスクは縮小できないため、{server.disk} GiB 以上のフレーバーを選んでください。",
            status=409,
            fields={"server": server.id, "disk_gib": server.disk, "flavor_disk_gib": flavor.disk},
        )
    if flavor == Flavor(server.flavor, server.size, server.disk):
        raise cannot(
            server,
            "server-has-flavor",
            f"has flavor '{flavor.id}' already",
            f"のフレーバーはすでに「{flavor.id}」です",
        )
    need_storage(ledger, server, GiB(flavor.disk - server.disk))


def need_storage(ledger: Ledger, server: Server, more: GiB) -> None:
    """Raises `storage-full` where the server's pool lacks room for `more`."""
    pool = ledger.storage[server.storage]
    lack = more - (pool.capacity - pool.used)
    if more > 0 and lack > 0:
        raise YuiError(
            "storage-full",
            en=f"The storage of server '{server.id}' lacks {lack} GiB to grow its disk by {more} GiB: delete what is not needed, or ask the operators for more storage.",
            ja=f"サーバー「{server.id}」のディスクを {more} GiB 増やすには、ストレージが {lack} GiB 不足しています。不要なものを削除するか、運用担当者に増設を依頼してください。",
            status=409,
            fields={"server": server.id, "wanted_gib": more, "shortfall_gib": lack},
        )

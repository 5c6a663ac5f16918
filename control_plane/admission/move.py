"""Begins the live migration of one server without weakening anybody's promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from control_plane.admission.commit import guard
from control_plane.admission.refusal import no_room
from control_plane.admission.settle import settle
from control_plane.admission.standing import refuse_while_leaning
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.workload import Moving, Placed, Server, Shelved, Stranded
from control_plane.placement import Plan, Refusal, plan_move
from control_plane.store import Lease, LostRace, Store, Transaction


def _nothing_more(_: Transaction, __: Server) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Moved:
    """A migration that was begun, or would be: the server before and as Moving, and the plan with the
    ledger that it was made on."""

    before: Server
    after: Server
    plan: Plan
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class _Move:
    server: Server
    placed: Placed
    ledger: Ledger


def move(
    store: Store,
    server: ServerId,
    target: HostId | None,
    lease: Lease | None,
    *,
    finish: Callable[[Transaction, Server], None] = _nothing_more,
    dry_run: bool = False,
) -> Moved:
    """Choose a host (or take `target`) and record the migration; both hosts hold room until it
    ends. What `finish` writes is kept with it or not at all; it may
    be called again after a lost race. With `dry_run` nothing is kept.

    Raises `server-not-found`, `host-not-found`, `server-moving`, `server-stranded`,
    `server-deleting`, `server-already-there`, `server-disks-busy`, `no-room`, LeaseLost, and LostRace when the region
    never comes to rest.
    """
    with store.read() as snapshot:
        region = snapshot.region_of(server)

    def read(tx: Transaction) -> _Move:
        standing = tx.server(server)
        placed = _movable(standing, target)
        refuse_while_leaning(tx, standing)
        if target is not None:
            tx.host(target)
        return _Move(standing, placed, tx.ledger(region))

    def plan(wanted: _Move) -> Plan:
        answer = plan_move(wanted.ledger, server, target=target)
        if isinstance(answer, Refusal):
            raise no_room(answer)
        return answer

    def keep(tx: Transaction, then: _Move, now: _Move, plan: Plan) -> Moved:
        rules = (then.ledger.policy, then.ledger.promised)
        if then.server.generation != now.server.generation or rules != (
            now.ledger.policy,
            now.ledger.promised,
        ):
            raise LostRace(f"server {server}")
        chosen = plan.hosts[server]
        guard(tx, then.ledger, plan.touched | {then.placed.host, chosen}, plan.refuges)
        saved = tx.save_server(replace(now.server, placement=now.placed.move_to(chosen)))
        tx.set_holdings(region, plan.holdings)
        tx.set_refuges(region, plan.refuges)
        finish(tx, saved)
        return Moved(now.server, saved, plan, now.ledger)

    return settle(store, region, read, plan, keep, lease=lease, dry_run=dry_run)


def _movable(server: Server, target: HostId | None) -> Placed:
    if server.deleting:
        raise _cannot(
            server, "server-deleting", "is being removed", "は削除処理中のため、移動できません"
        )
    match server.placement:
        case Moving():
            raise _cannot(
                server,
                "server-moving",
                "is already on its way to another host: wait until it has arrived",
                "はすでに別のホストへ移動中です。完了するまでお待ちください",
            )
        case Stranded():
            raise _cannot(
                server,
                "server-stranded",
                "waits for room and runs nowhere: add capacity and it is placed by itself",
                "は空きがなく停止しています。容量を追加すると自動的に配置されます",
            )
        case Shelved():
            raise _cannot(
                server,
                "server-shelved",
                "is shelved and on no host: unshelve it and it is placed where there is room",
                "は休止中で、どのホストにもありません。休止を解除すると、空きのある場所に配置されます",
            )
        case Placed(host=host) as placed:
            if host == target:
                raise _cannot(
                    server,
                    "server-already-there",
                    f"is on host '{host}' already",
                    f"はすでにホスト「{host}」にあります",
                )
            return placed


def _cannot(server: Server, type: str, en: str, ja: str) -> YuiError:
    return YuiError(
        type,
        en=f"Server '{server.id}' {en}.",
        ja=f"サーバー「{server.id}」{ja}。",
        status=409,
        fields={"server": server.id},
    )

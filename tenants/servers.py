"""What members and operators do with servers that run: stop, start, move, look at the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from control_plane.admission import Moved, move
from control_plane.admission.leaving import refuse_leaving
from control_plane.admission.standing import cannot
from control_plane.drivers.protocol import DriverError, HostUnreachable, NoSuchServer
from control_plane.drivers.world import World
from control_plane.http.principal import Principal
from control_plane.journal.operations import new_operation_id
from control_plane.journal.progress import SERVER_MIGRATE, SERVER_START, SERVER_STOP
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Moving, Placed, Power, Server, Shelved, Stranded
from control_plane.store import Snapshot, Store, Transaction


def find_server(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> Server:
    """By id, or by name. With `tenant`, another member's is not found. Raises
    `server-not-found`."""
    try:
        return tx.server(ServerId(named), tenant)
    except YuiError:
        found = [server for server in tx.servers(tenant) if server.name == named]
        if len(found) != 1:
            raise
        return found[0]


def set_power(
    tx: Transaction,
    server: Server,
    power: Power,
    who: Principal,
    at: datetime,
    *,
    keep: Callable[[Operation], None],
) -> Operation:
    """Ask for the server to run or not; the reconciler brings it about. One that is as wanted
    already is left alone. `keep` gets the operation before the journal is written to. Raises
    `server-deleting`, `server-shelved`."""
    if server.deleting:
        raise YuiError(
            "server-deleting",
            en=f"Server '{server.id}' is being removed, so it can't be started or stopped.",
            ja=f"サーバー「{server.id}」は削除処理中のため、起動も停止もできません。",
            status=409,
            fields={"server": server.id},
        )
    if server.power is Power.SHELVED:
        raise cannot(
            server,
            "server-shelved",
            "is shelved: unshelve it, and it is placed where there is room and started",
            "は休止中です。休止を解除すると、空きのある場所で起動します",
        )
    stops = power is Power.STOPPED
    if not stops:
        refuse_leaving(tx, server.tenant)
    operation = _operation(SERVER_STOP if stops else SERVER_START, server, at)
    tx.put_operation(operation)
    if server.power is not power:
        tx.save_server(replace(server, power=power))
    keep(operation)
    if server.power is not power:
        tx.add_event(
            Event(
                "server.stop-asked" if stops else "server.start-asked",
                f"server:{server.id}",
                at,
                Severity.INFO,
                f"Server {server.name} is to be {'stopped' if stops else 'started'}, {who.label} asks.",
                f"{who.label} さんの指示により、サーバー {server.name} を{'停止' if stops else '起動'}します。",
                tenant=server.tenant.text,
            )
        )
    action = "server.stop" if stops else "server.start"
    tx.add_audit(who.did(action, f"server:{server.id}", at, tenant=server.tenant))
    return operation


def migrate(
    store: Store,
    server_id: ServerId,
    target: HostId | None,
    who: Principal,
    at: datetime,
    *,
    keep: Callable[[Transaction, Operation], None],
    dry_run: bool = False,
) -> tuple[Moved, Operation]:
    """Begin a live migration that keeps everybody's promise, with its operation and audit entry in
    the same transaction; a dry run undoes all of it. Raises what `admission.move` raises."""
    operations: list[Operation] = []

    def finish(tx: Transaction, moving: Server) -> None:
        assert isinstance(moving.placement, Moving)  # noqa: S101 — what `move` answers
        heading = moving.placement.target
        operation = replace(
            _operation(SERVER_MIGRATE, moving, at),
            fields={"server": moving.id, "target": heading},
        )
        tx.put_operation(operation)
        keep(tx, operation)
        tx.add_audit(
            who.did(
                "server.migrate",
                f"server:{moving.id}",
                at,
                tenant=moving.tenant,
                hardware={"target": heading},
            )
        )
        operations.append(operation)

    moved = move(store, server_id, target, None, finish=finish, dry_run=dry_run)
    # After a lost race the last try is the one that was kept.
    return moved, operations[-1]


def _operation(kind: str, server: Server, at: datetime) -> Operation:
    return Operation(
        id=new_operation_id(),
        kind=kind,
        subject=f"server:{server.id}",
        tenant=server.tenant.text,
        state=OperationState.RUNNING,
        done=0,
        total=1,
        created_at=at,
        updated_at=at,
        fields={"server": server.id},
    )


def expect(server: Server, expected: Generation | None) -> Server:
    """Raises `server-changed` (412) when the caller has read another generation."""
    if expected is not None and server.generation != expected:
        raise YuiError(
            "server-changed",
            en=f"Server '{server.id}' has changed since you read it (generation {server.generation}, not {expected}): read it again.",
            ja=f"サーバー「{server.id}」は読み取り後に変更されています(世代 {server.generation}、指定は {expected})。読み直してください。",
            status=412,
            fields={"server": server.id, "generation": server.generation},
        )
    return server


def read_console(store: Store, world: World, server: Server, tail_bytes: int) -> str:
    """The last `tail_bytes` of its serial console. Raises `console-not-there` where it has not run
    yet, `host-unreachable` and `console-unreadable` (503)."""
    match server.placement:
        case Placed(host=host_id) | Moving(source=host_id):
            pass
        case Stranded() | Shelved():
            raise _no_console(server)
    with store.read() as tx:
        host = tx.host(host_id)
    try:
        return world.driver(host).console(server.id, tail_bytes)
    except HostUnreachable:
        raise YuiError(
            "host-unreachable",
            en=f"The host of server '{server.id}' does not answer, so its console can't be read: try again in a moment.",
            ja=f"サーバー「{server.id}」のホストが応答しないため、コンソールを読めません。少し待って再度お試しください。",
            status=503,
            fields={"server": server.id},
        ) from None
    except NoSuchServer:
        raise _no_console(server) from None
    except DriverError:
        raise YuiError(
            "console-unreadable",
            en=f"The console of server '{server.id}' can't be read at the moment: try again, or see the events.",
            ja=f"サーバー「{server.id}」のコンソールを現在読めません。再度お試しになるか、イベントを確認してください。",
            status=503,
            fields={"server": server.id},
        ) from None


def _no_console(server: Server) -> YuiError:
    return YuiError(
        "console-not-there",
        en=f"Server '{server.id}' has no console yet, because it has not been started on any host.",
        ja=f"サーバー「{server.id}」はまだどのホストでも起動していないため、コンソールがありません。",
        status=409,
        fields={"server": server.id},
    )

"""Servers over HTTP, and what this capability knows beside the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, entity_tag
from control_plane.http.edge import AtHand, DryRun, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.membership import ApprovalRule
from control_plane.model.operation import Operation
from control_plane.model.workload import Power, Server
from control_plane.pool.models import RefugeOut
from control_plane.store import Transaction
from tenants.catalogue import Catalogue
from tenants.first_users import Trusted
from tenants.leaving.export_directory import ExportDirectory
from tenants.models import (
    ConsoleOut,
    MigrateIn,
    ServerOut,
    ServerPlan,
    ServerRefuges,
)
from tenants.register import MemberRegister
from tenants.servers import expect, find_server, migrate, read_console, set_power
from tenants.views import server_out, server_plan

router = APIRouter(prefix="/v1", tags=["tenants"])


@dataclass(frozen=True, slots=True)
class Membership:
    """What this capability knows beside the state; held in `app.state.membership`."""

    catalogue: Catalogue
    register: MemberRegister
    rule: ApprovalRule = ApprovalRule.TWO_PERSONS
    exports: ExportDirectory | None = None
    """Where the exports of members that leave lie."""
    trusted: Trusted = field(default_factory=Trusted)


def _membership(request: Request) -> Membership:
    return cast(Membership, request.app.state.membership)


Known = Annotated[Membership, Depends(_membership)]

_REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ServerPlan, "description": "With `dry_run`."}
}


@router.get("/servers/{server}", response_model=ServerOut)
def read_server(
    server: Name, who: Annotated[Principal, needs(Permission.SERVERS_READ)], edge: AtHand
) -> Response:
    """By id or by name."""
    with edge.store.read() as tx:
        found = find_server(tx, server, who.tenant)
    return JSONResponse(
        server_out(found, with_hardware=who.sees_hardware).model_dump(mode="json"),
        headers={"ETag": entity_tag(found.generation)},
    )


@router.get("/servers/{server}/refuges")
def read_server_refuges(
    server: Name, _: Annotated[Principal, needs(Permission.POOL_READ)], edge: AtHand
) -> ServerRefuges:
    """The hosts that hold room for the server in case its own place dies."""
    with edge.store.read() as tx:
        found = find_server(tx, server, None)
        refuges = tx.refuges(tx.region_of(found.id))
    return ServerRefuges(
        items=[
            RefugeOut(failure=str(failure), host=host)
            for (failure, protected), host in sorted(refuges.items())
            if protected == found.id
        ]
    )


@router.get("/servers/{server}/console")
def read_server_console(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_CONSOLE)],
    edge: AtHand,
    tail_bytes: Annotated[int, Query(ge=1, le=1024 * 1024)] = 64 * 1024,
) -> ConsoleOut:
    """The end of the serial console."""
    with edge.store.read() as tx:
        found = find_server(tx, server, who.tenant)
    return ConsoleOut(server=found.id, text=read_console(edge.store, edge.world, found, tail_bytes))


@router.post(
    "/servers/{server}/stop",
    status_code=202,
    response_model=OperationOut,
    responses=_REHEARSED,
)
@audited("server.stop", "server")
def stop(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_POWER)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Ask the server to shut down; its place stays reserved."""
    change = PowerChange(server, Power.STOPPED, who, expected)
    return _change_power(change, edge, once, dry_run=dry_run)


@router.post(
    "/servers/{server}/start",
    status_code=202,
    response_model=OperationOut,
    responses=_REHEARSED,
)
@audited("server.start", "server")
def start(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_POWER)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Start a stopped server where its place is reserved."""
    change = PowerChange(server, Power.RUNNING, who, expected)
    return _change_power(change, edge, once, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class PowerChange:
    server: str
    power: Power
    who: Principal
    expected: Generation | None


def _change_power(change: PowerChange, edge: Edge, once: OnceOnly, *, dry_run: bool) -> Response:
    def make(tx: Transaction, keep: Callable[[Operation], None]) -> tuple[Server, Operation]:
        found = expect(find_server(tx, change.server, change.who.tenant), change.expected)
        return found, set_power(tx, found, change.power, change.who, edge.clock.now(), keep=keep)

    def rehearse(_: Remember) -> ServerPlan:
        with edge.rehearsable(dry_run=True) as tx:
            found, operation = make(tx, lambda _: None)
        return server_plan(found, operation, changes=found.power is not change.power)

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            _, operation = make(tx, lambda begun: remember(tx, operation_out(begun)))
        return operation_out(operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.post(
    "/servers/{server}/migrate",
    status_code=202,
    response_model=OperationOut,
    responses=_REHEARSED,
)
@audited("server.migrate", "server")
def migrate_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_MIGRATE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    body: MigrateIn | None = None,
    dry_run: DryRun = False,
) -> Response:
    """Move a running server to another host, keeping every promise."""
    target = None if body is None or body.target is None else HostId(body.target)

    def make(keep: Callable[[Transaction, Operation], None]) -> tuple[Server, Operation]:
        with edge.store.read() as snapshot:
            found = expect(find_server(snapshot, server, who.tenant), expected)
        at = edge.clock.now()
        with named_in_body():
            operation = migrate(
                edge.store, ServerId(found.id), target, who, at, keep=keep, dry_run=dry_run
            )
        return found, operation

    def rehearse(_: Remember) -> ServerPlan:
        found, operation = make(lambda _, __: None)
        return server_plan(found, operation, changes=True)

    def work(remember: Remember) -> OperationOut:
        _, operation = make(lambda tx, begun: remember(tx, operation_out(begun)))
        return operation_out(operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


def location(operation: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/operations/{operation['id']}"}

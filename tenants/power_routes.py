"""Servers are stopped, started and moved over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.admission import Moved
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.ids import HostId
from control_plane.model.operation import Operation
from control_plane.model.workload import Moving, Placed, Power, Server
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import FREE, ChangePlan, Cost, Difference, replaced
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.models import MigrateIn
from tenants.server_change import REHEARSED, Change, KeepIt, location
from tenants.servers import expect, find_server, migrate, set_power

router = APIRouter(prefix="/v1", tags=["servers"])


@router.post(
    "/servers/{server}/stop", status_code=202, response_model=OperationOut, responses=REHEARSED
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
    change = Change(server, who, edge, once, expected)
    return change.make(_to(Power.STOPPED), _shown, dry_run=dry_run)


@router.post(
    "/servers/{server}/start", status_code=202, response_model=OperationOut, responses=REHEARSED
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
    change = Change(server, who, edge, once, expected)
    return change.make(_to(Power.RUNNING), _shown, dry_run=dry_run)


def _to(power: Power) -> Callable[[Transaction, Server, Asker, KeepIt], Operation]:
    def change(tx: Transaction, found: Server, asker: Asker, keep: KeepIt) -> Operation:
        return set_power(tx, found, power, asker.who, asker.at, keep=keep)

    return change


def _shown(before: Server, after: Server) -> tuple[list[Difference], Cost]:
    """A stopped server keeps its room."""
    if before.power is after.power:
        return [], FREE
    path = f"/servers/{before.name}/power"
    return [replaced(path, before.power.value, after.power.value)], FREE


@router.post(
    "/servers/{server}/migrate", status_code=202, response_model=OperationOut, responses=REHEARSED
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

    def make(keep: Callable[[Transaction, Operation], None]) -> tuple[Moved, Operation]:
        with edge.store.read() as snapshot:
            found = expect(find_server(snapshot, server, who.tenant), expected)
        at = edge.clock.now()
        with named_in_body():
            return migrate(edge.store, found.id, target, who, at, keep=keep, dry_run=dry_run)

    def rehearse(_: Remember) -> ChangePlan:
        moved, _operation = make(lambda _, __: None)
        return ChangePlan(
            diff=_moves(moved, named=who.sees_hardware),
            certificate=certificate_change(moved.ledger, moved.plan),
            capacity=FREE,
        )

    def work(remember: Remember) -> OperationOut:
        _, operation = make(lambda tx, begun: remember(tx, operation_out(begun)))
        return operation_out(operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


def _moves(moved: Moved, *, named: bool) -> list[Difference]:
    """Hosts are `named` to those who see hardware."""
    before, after = moved.before.placement, moved.after.placement
    path = f"/servers/{moved.before.name}"
    if named and isinstance(before, Placed) and isinstance(after, Moving):
        return [replaced(f"{path}/host", before.host, after.target)]
    return [replaced(f"{path}/status", "active", "migrating")]

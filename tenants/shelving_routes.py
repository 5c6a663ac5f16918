"""Servers are shelved over HTTP, and taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.ids import ServerId
from control_plane.model.operation import Operation
from control_plane.model.workload import Placed, Power, Server
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import (
    FREE,
    ChangePlan,
    Cost,
    Difference,
    replaced,
    room_of,
)
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.server_change import REHEARSED, Change, KeepIt, location
from tenants.servers import expect, find_server
from tenants.shelving import shelve, unshelve

router = APIRouter(prefix="/v1", tags=["servers"])


@router.post(
    "/servers/{server}/shelve", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.shelve", "server")
def shelve_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Stop the server and give its room back: it no longer counts, but for its disks. Disks, address
    and name stay its own; unshelved, it starts where there is room then."""

    def change(tx: Transaction, found: Server, asker: Asker, keep: KeepIt) -> Operation:
        return shelve(tx, found, asker, keep)

    def shown(before: Server, after: Server) -> tuple[list[Difference], Cost]:
        if before.power is Power.SHELVED:
            return [], FREE
        path = f"/servers/{before.name}/power"
        freed = room_of(before).negative() if isinstance(before.placement, Placed) else FREE
        return [replaced(path, before.power.value, after.power.value)], freed

    return Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.post(
    "/servers/{server}/unshelve", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.unshelve", "server")
def unshelve_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Admit the server once more, as it was, and start it. Refused where there is no room for it now."""

    def found_now() -> ServerId:
        with edge.store.read() as tx:
            return find_server(tx, server, who.tenant).id

    def as_expected(standing: Server) -> Server:
        return expect(standing, expected)

    def rehearse(_: Remember) -> ChangePlan:
        asker = Asker(who, edge.clock.now())
        done = unshelve(
            edge.store, found_now(), asker, lambda _, __: None, expected=as_expected, dry_run=True
        )
        path = f"/servers/{done.before.name}/power"
        return ChangePlan(
            diff=[replaced(path, done.before.power.value, done.after.power.value)],
            certificate=certificate_change(done.ledger, done.plan),
            capacity=FREE if done.plan is None else room_of(done.after),
        )

    def work(remember: Remember) -> OperationOut:
        asker = Asker(who, edge.clock.now())

        def keep(tx: Transaction, operation: Operation) -> None:
            remember(tx, operation_out(operation))

        done = unshelve(edge.store, found_now(), asker, keep, expected=as_expected)
        return operation_out(done.result)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)

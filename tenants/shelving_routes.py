"""Servers are shelved over HTTP, and taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.admission import Unshelved
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.model.access import Permission
from control_plane.model.operation import Operation
from control_plane.model.workload import Placed, Power, Server
from control_plane.pool.plan import (
    FREE,
    Cost,
    Difference,
    replaced,
    room_of,
)
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.server_change import REHEARSED, Change, KeepIt
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

    def shown(done: Unshelved[Operation]) -> tuple[list[Difference], Cost]:
        path = f"/servers/{done.before.name}/power"
        taken = FREE if done.plan is None else room_of(done.after)
        return [replaced(path, done.before.power.value, done.after.power.value)], taken

    return Change(server, who, edge, once, expected).admit(unshelve, shown, dry_run=dry_run)

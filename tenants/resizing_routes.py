"""Resizes are confirmed over HTTP, or taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.admission import Resized
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.model.access import Permission
from control_plane.model.operation import Operation
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import FREE, ChangePlan, Cost, Difference, growth, replaced
from tenants.asking import Asker
from tenants.models import ServerOut
from tenants.resizing import confirm, revert
from tenants.server_change import REHEARSED, Change
from tenants.servers import expect, find_server
from tenants.views import server_out

router = APIRouter(prefix="/v1", tags=["servers"])


@router.post("/servers/{server}/resize/confirm", response_model=ServerOut | ChangePlan)
@audited("server.resize-confirm", "server")
def confirm_resize(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Let the size stay that it was given `to_confirm`."""

    def work(remember: Remember) -> ServerOut | ChangePlan:
        at = edge.clock.now()
        with edge.rehearsable(dry_run) as tx:
            found = expect(find_server(tx, server, who.tenant), expected)
            confirm(tx, found, Asker(who, at))
            answer = server_out(tx, found, at, with_hardware=who.sees_hardware)
            ledger = tx.ledger(tx.region_of(found.id)) if dry_run else None
            remember(tx, answer)
        if ledger is None:
            return answer
        path = f"/servers/{found.name}/unconfirmed_resize"
        return ChangePlan(
            diff=[replaced(path, "waiting", None)],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    return once.run(work)


@router.post(
    "/servers/{server}/resize/revert",
    status_code=202,
    response_model=OperationOut,
    responses=REHEARSED,
)
@audited("server.resize-revert", "server")
def revert_resize(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give it its size from before back; a disk that has grown stays as large as it is."""

    def shown(done: Resized[Operation]) -> tuple[list[Difference], Cost]:
        path = f"/servers/{done.before.name}/flavor"
        change = replaced(path, done.before.flavor, done.after.flavor)
        return [change], growth(done.before, done.after)

    return Change(server, who, edge, once, expected).admit(revert, shown, dry_run=dry_run)

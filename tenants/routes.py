"""Servers over HTTP, and what this capability knows beside the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import entity_tag
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.membership import ApprovalRule
from control_plane.pool.models import RefugeOut
from tenants.catalogue import Catalogue
from tenants.first_users import Trusted
from tenants.leaving.export_directory import ExportDirectory
from tenants.models import (
    ConsoleOut,
    ServerOut,
    ServerRefuges,
)
from tenants.register import MemberRegister
from tenants.servers import find_server, read_console
from tenants.views import server_out

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


async def _membership(request: Request) -> Membership:
    return cast(Membership, request.app.state.membership)


Known = Annotated[Membership, Depends(_membership)]


@router.get("/servers/{server}", response_model=ServerOut)
def read_server(
    server: Name, who: Annotated[Principal, needs(Permission.SERVERS_READ)], edge: AtHand
) -> Response:
    """By id or by name."""
    with edge.store.read() as tx:
        found = find_server(tx, server, who.tenant)
        shown = server_out(tx, found, edge.clock.now(), with_hardware=who.sees_hardware)
    return JSONResponse(
        shown.model_dump(mode="json"),
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

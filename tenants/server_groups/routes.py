"""Server groups over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import GroupId
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, removed
from control_plane.store import Snapshot
from tenants.asking import Asker
from tenants.server_groups.groups import add_group, groups_out, remove_group
from tenants.server_groups.models import NewServerGroupIn, ServerGroupOut, ServerGroupPlan

router = APIRouter(prefix="/v1/server-groups", tags=["server groups"])

Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]


@router.get("", response_model=Page[ServerGroupOut], responses=LIST_ANSWERS)
async def read_server_groups(
    who: Reader,
    edge: AtHand,
    *,
    tenant: Annotated[
        CodeText | None, Query(description="Only this member's, by its municipality code.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Server groups by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        rows = tx.server_groups(
            who.tenant,
            also=tenant,
            after=None if after is None else GroupId(after),
            limit=limit + 1,
        )
        return page_bytes(
            groups_out(tx, rows),
            limit,
            lambda one: one.model_dump(mode="json"),
            key=lambda one: one.id,
        )

    return listed(await edge.look(page), if_none_match)


@router.get("/{server_group}")
def read_server_group(server_group: Name, who: Reader, edge: AtHand) -> ServerGroupOut:
    with edge.store.read() as tx:
        (shown,) = groups_out(tx, [tx.server_group(GroupId(server_group), who.tenant)])
    return shown


@router.post(
    "",
    status_code=201,
    response_model=ServerGroupOut,
    responses={200: {"model": ServerGroupPlan, "description": "With `dry_run`."}},
)
@audited("server-group.add", "server-group")
def create_server_group(
    body: NewServerGroupIn, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Make a group. Servers are put into it when they are made."""

    def work(remember: Remember) -> ServerGroupOut | ServerGroupPlan:
        with edge.rehearsable(dry_run) as tx:
            made = add_group(tx, _member(who), body.name, Asker(who, edge.clock.now()))
            (answer,) = groups_out(tx, [made])
            remember(tx, answer)
        if not dry_run:
            return answer
        return ServerGroupPlan(diff=[added(f"/server-groups/{body.name}", {"policy": body.policy})])

    return once.run(work) if dry_run else once.run(work, status=201)


@router.delete("/{server_group}", response_model=ServerGroupOut | ServerGroupPlan)
@audited("server-group.remove", "server-group")
def delete_server_group(
    server_group: Name, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Remove it; its servers stay, and may share a host from then on. Answers it as it was."""

    def work(remember: Remember) -> ServerGroupOut | ServerGroupPlan:
        with edge.rehearsable(dry_run) as tx:
            found = tx.server_group(GroupId(server_group), who.tenant)
            (answer,) = groups_out(tx, [found])
            remember(tx, answer)
            remove_group(tx, found, Asker(who, edge.clock.now()))
        return (
            ServerGroupPlan(diff=[removed(f"/server-groups/{found.name}")]) if dry_run else answer
        )

    return once.run(work)


def _member(who: Principal) -> MunicipalityCode:
    if who.tenant is None:
        raise YuiError(
            "tenant-missing",
            en="A server group belongs to a member: ask with a token of that member.",
            ja="サーバーグループは団体ごとに作成します。その団体のトークンで実行してください。",
        )
    return who.tenant

"""Server groups over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, OfMember, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import GroupId
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, removed
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker, member_asking
from tenants.record_change import change_record
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
    tenant: OfMember = None,
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

    def change(tx: Transaction) -> ServerGroupOut:
        made = add_group(tx, _member(who), body.name, Asker(who, edge.clock.now()))
        (shown,) = groups_out(tx, [made])
        return shown

    def rehearsal(made: ServerGroupOut) -> ServerGroupPlan:
        return ServerGroupPlan(diff=[added(f"/server-groups/{made.name}", {"policy": body.policy})])

    return change_record(
        edge,
        once,
        change,
        answer=lambda made: made,
        rehearsal=rehearsal,
        dry_run=dry_run,
        status=201,
    )


@router.delete("/{server_group}", response_model=ServerGroupOut | ServerGroupPlan)
@audited("server-group.remove", "server-group")
def delete_server_group(
    server_group: Name, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Remove it; its servers stay, and may share a host from then on. Answers it as it was."""

    def change(tx: Transaction) -> ServerGroupOut:
        found = tx.server_group(GroupId(server_group), who.tenant)
        (shown,) = groups_out(tx, [found])
        remove_group(tx, found, Asker(who, edge.clock.now()))
        return shown

    def rehearsal(found: ServerGroupOut) -> ServerGroupPlan:
        return ServerGroupPlan(diff=[removed(f"/server-groups/{found.name}")])

    return change_record(
        edge, once, change, answer=lambda found: found, rehearsal=rehearsal, dry_run=dry_run
    )


def _member(who: Principal) -> MunicipalityCode:
    return member_asking(
        who, "A server group belongs to a member", "サーバーグループは団体ごとに作成します"
    )

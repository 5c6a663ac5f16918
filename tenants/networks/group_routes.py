"""Security groups over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, entity_tag, generation_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, OfMember, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import SecurityGroupId
from control_plane.model.network import SecurityGroup
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, removed, replaced
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker, member_asking
from tenants.networks.groups import add_group, change_group, expect, group_out, remove_group
from tenants.networks.models import (
    NetworkPlan,
    NewSecurityGroupIn,
    SecurityGroupIn,
    SecurityGroupOut,
)
from tenants.record_change import change_record

router = APIRouter(prefix="/v1/security-groups", tags=["networks"])


@router.get("", response_model=Page[SecurityGroupOut], responses=LIST_ANSWERS)
async def read_security_groups(
    who: Annotated[Principal, needs(Permission.NETWORKS_READ)],
    edge: AtHand,
    *,
    tenant: OfMember = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Security groups by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        rows = tx.security_groups(
            who.tenant,
            also=tenant,
            after=None if after is None else SecurityGroupId(after),
            limit=limit + 1,
        )
        return page_bytes(rows, limit, _row, key=lambda group: group.id)

    return listed(await edge.look(page), if_none_match)


@router.get("/{group}", response_model=SecurityGroupOut)
def read_security_group(
    group: Name, who: Annotated[Principal, needs(Permission.NETWORKS_READ)], edge: AtHand
) -> Response:
    """One, with its ETag."""
    with edge.store.read() as tx:
        found = tx.security_group(SecurityGroupId(group), who.tenant)
    return JSONResponse(_row(found), headers={"ETag": entity_tag(found.generation)})


@router.post(
    "",
    status_code=201,
    response_model=SecurityGroupOut,
    responses={200: {"model": NetworkPlan, "description": "With `dry_run`."}},
)
@audited("security-group.add", "security-group")
def add_security_group(
    body: NewSecurityGroupIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Make a group of the member's own. No server is in it yet."""

    def change(tx: Transaction) -> SecurityGroup:
        with named_in_body():
            asker = Asker(who, edge.clock.now())
            return add_group(
                tx, _member(who), body.name, body.rules, asker, description=body.description
            )

    def rehearsal(made: SecurityGroup) -> NetworkPlan:
        what = group_out(made).model_dump(mode="json", include={"name", "description", "rules"})
        return NetworkPlan(diff=[added(f"/security-groups/{made.name}", what)])

    return change_record(
        edge,
        once,
        change,
        answer=group_out,
        rehearsal=rehearsal,
        dry_run=dry_run,
        status=201,
        headers=generation_tag,
    )


@router.put("/{group}", response_model=SecurityGroupOut | NetworkPlan)
@audited("security-group.change", "security-group")
def put_security_group(
    group: Name,
    body: SecurityGroupIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give it these rules in place of those it has, and a new name where one is said."""

    def change(tx: Transaction) -> tuple[SecurityGroup, SecurityGroup]:
        before = expect(tx.security_group(SecurityGroupId(group), who.tenant), expected)
        with named_in_body():
            asker = Asker(who, edge.clock.now())
            return before, change_group(
                tx, before, body.name, body.rules, asker, description=body.description
            )

    def rehearsal(done: tuple[SecurityGroup, SecurityGroup]) -> NetworkPlan:
        before, after = (_row(each) for each in done)
        path = f"/security-groups/{group}"
        diff = [
            replaced(f"{path}/{key}", before[key], after[key])
            for key in ("name", "description", "rules")
            if before[key] != after[key]
        ]
        return NetworkPlan(diff=diff)

    return change_record(
        edge,
        once,
        change,
        answer=lambda done: group_out(done[1]),
        rehearsal=rehearsal,
        dry_run=dry_run,
        headers=generation_tag,
    )


@router.delete(
    "/{group}",
    response_model=SecurityGroupOut | NetworkPlan,
)
@audited("security-group.remove", "security-group")
def delete_security_group(
    group: Name,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Remove a group that no server is in and no rule names. Answers it as it was."""

    def change(tx: Transaction) -> SecurityGroup:
        found = expect(tx.security_group(SecurityGroupId(group), who.tenant), expected)
        remove_group(tx, found, Asker(who, edge.clock.now()))
        return found

    return change_record(
        edge,
        once,
        change,
        answer=group_out,
        rehearsal=lambda _: NetworkPlan(diff=[removed(f"/security-groups/{group}")]),
        dry_run=dry_run,
    )


def _row(group: SecurityGroup) -> dict[str, Any]:
    return group_out(group).model_dump(mode="json")


def _member(who: Principal) -> MunicipalityCode:
    return member_asking(
        who, "A security group belongs to a member", "セキュリティグループは団体ごとに作成します"
    )

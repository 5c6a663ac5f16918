"""Container groups over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, generation_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, OfMember, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import RegionId, SystemId
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import FREE, ChangePlan, added, removed, replaced
from control_plane.store import Snapshot
from tenants.asking import Asker
from tenants.container_groups import groups
from tenants.container_groups.groups import Wanted, find
from tenants.container_groups.models import (
    ContainerGroupChangeIn,
    ContainerGroupIn,
    ContainerGroupOut,
)

router = APIRouter(prefix="/v1/container-groups", tags=["container groups"])

_REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ContainerGroupOut | ChangePlan, "description": "With `dry_run`: the plan."}
}
Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]


@router.get("", response_model=Page[ContainerGroupOut], responses=LIST_ANSWERS)
async def read_container_groups(
    who: Reader,
    edge: AtHand,
    *,
    tenant: OfMember = None,
    system: Annotated[Name | None, Query(description="Only groups of this system.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Container groups by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)
    foreign = who.tenant is not None and tenant not in (None, who.tenant.text)

    def page(tx: Snapshot) -> bytes:
        found = tx.container_groups(
            who.tenant or tenant,
            system=None if system is None else SystemId(system),
            after=after,
            limit=limit + 1,
        )
        return page_bytes(
            () if foreign else found,
            limit,
            lambda group: ContainerGroupOut.of(group).model_dump(mode="json"),
            key=lambda group: group.id,
        )

    return listed(await edge.look(page), if_none_match)


@router.get("/{container_group}", response_model=ContainerGroupOut)
def read_container_group(container_group: Name, who: Reader, edge: AtHand) -> Response:
    with edge.store.read() as tx:
        found = ContainerGroupOut.of(find(tx, container_group, who.tenant))
    return Response(
        found.model_dump_json(),
        media_type="application/json",
        headers=generation_tag(found.model_dump()),
    )


@router.post("", status_code=201, response_model=ContainerGroupOut, responses=_REHEARSED)
@audited("container-group.create", "container-group")
def create_container_group(
    body: ContainerGroupIn, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Put a container group on record. As long as nothing in the pool runs containers it waits and holds
    no room, but it counts against the quota; where hosts for container groups are there, one that they
    could not hold is refused."""
    wanted = _wanted(body)

    def work(remember: Remember) -> ContainerGroupOut | ChangePlan:
        asker = Asker(who, edge.clock.now())
        with named_in_body(), edge.store.read() as snapshot:
            region = snapshot.system(SystemId(body.system), who.tenant).region
        with edge.rehearsable(dry_run, turn=_turn(region)) as tx, named_in_body():
            made, ledger = groups.create(tx, body.name, SystemId(body.system), wanted, asker)
            shown = ContainerGroupOut.of(made)
            remember(tx, shown)
        if not dry_run:
            return shown
        what = {"state": made.state.value, "replicas": made.replicas}
        return ChangePlan(
            diff=[added(f"/container-groups/{made.name}", what)],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    return once.run(work) if dry_run else once.run(work, status=201, headers=generation_tag)


@router.put("/{container_group}", response_model=ContainerGroupOut, responses=_REHEARSED)
@audited("container-group.change", "container-group")
def change_container_group(
    container_group: Name,
    body: ContainerGroupChangeIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Let other containers, or another number of copies, run instead. What the group grows by counts
    against the quota."""
    wanted = _wanted(body)

    def work(remember: Remember) -> ContainerGroupOut | ChangePlan:
        asker = Asker(who, edge.clock.now())
        with edge.store.read() as snapshot:
            region = find(snapshot, container_group, who.tenant).region
        with edge.rehearsable(dry_run, turn=_turn(region)) as tx:
            before = find(tx, container_group, who.tenant)
            after, ledger = groups.change(tx, before, wanted, asker, expected)
            shown = ContainerGroupOut.of(after)
            remember(tx, shown)
        if not dry_run:
            return shown
        was, will = (ContainerGroupOut.of(one).model_dump(mode="json") for one in (before, after))
        return ChangePlan(
            diff=[
                replaced(f"/container-groups/{before.name}/{key}", was[key], will[key])
                for key in ("replicas", "containers")
                if was[key] != will[key]
            ],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    return once.run(work) if dry_run else once.run(work, headers=generation_tag)


@router.delete("/{container_group}", response_model=ContainerGroupOut, responses=_REHEARSED)
@audited("container-group.delete", "container-group")
def delete_container_group(
    container_group: Name,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Delete the group; answers what it was."""

    def work(remember: Remember) -> ContainerGroupOut | ChangePlan:
        asker = Asker(who, edge.clock.now())
        with edge.rehearsable(dry_run) as tx:
            group = find(tx, container_group, who.tenant)
            ledger = tx.ledger(group.region) if dry_run else None
            groups.delete(tx, group, asker, expected)
            shown = ContainerGroupOut.of(group)
            remember(tx, shown)
        if ledger is None:
            return shown
        return ChangePlan(
            diff=[removed(f"/container-groups/{group.name}")],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    return once.run(work)


def _turn(region: RegionId) -> str:
    """That of the region's admissions, which count against the same quotas: where a member asks for much
    at once, nobody keeps losing its race."""
    return f"region:{region}"


def _wanted(body: ContainerGroupChangeIn) -> Wanted:
    return Wanted(body.replicas, tuple(one.container() for one in body.containers))

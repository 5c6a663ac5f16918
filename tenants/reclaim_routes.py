"""Lent room is asked back over HTTP, and its borrowers read what they are to give back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import ReclaimId, RegionId
from control_plane.model.reclaim import Reclaim
from control_plane.store import Transaction
from tenants.reclaim_models import ReclaimIn, ReclaimOut, ReclaimRehearsal
from tenants.reclaims import ask, decide, reclaim_out, rehearsal_of, withdraw

router = APIRouter(prefix="/v1", tags=["quotas"])

Reader = Annotated[Principal, needs(Permission.QUOTAS_READ)]
Writer = Annotated[Principal, needs(Permission.QUOTAS_WRITE)]

_REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ReclaimRehearsal, "description": "With `dry_run`."}
}


@router.post(
    "/regions/{region_id}/reclaims",
    status_code=201,
    response_model=ReclaimOut,
    responses=_REHEARSED,
)
@audited("reclaim.ask", "region")
def ask_room_back(
    region_id: Name,
    body: ReclaimIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Ask for room back that members have borrowed: the servers of the highest tier numbers first, of
    them those of the member that is furthest above its guarantee. Nothing within a guarantee is
    touched. Each borrower has the region's `notice_days` to give back as much, however it likes; the
    servers named are shelved only if it does not."""
    region = RegionId(region_id)

    def rehearse(_: Remember) -> ReclaimRehearsal:
        return rehearsal_of(ask(edge, region, body, who, lambda _, __: None, dry_run=True))

    def work(remember: Remember) -> ReclaimOut:
        def keep(tx: Transaction, reclaim: Reclaim) -> None:
            remember(tx, reclaim_out(reclaim, who))

        return reclaim_out(ask(edge, region, body, who, keep).reclaim, who)

    with edge.store.read() as tx:
        tx.region(region)
    with named_in_body():
        return once.run(rehearse) if dry_run else once.run(work, status=201, headers=_location)


@router.get("/reclaims")
def read_reclaims(
    who: Reader,
    edge: AtHand,
    *,
    region: Name | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReclaimOut]:
    """What was asked back and what came of it, the oldest first. A member's token sees what was asked of
    that member."""
    with edge.store.read() as tx:
        found = tx.reclaims(who.tenant, None if region is None else RegionId(region))
    return page_of(
        found,
        key=lambda one: f"{one.asked_at.timestamp():020.6f}/{one.id}",
        show=lambda one: reclaim_out(one, who),
        limit=limit,
        cursor=cursor,
    )


@router.get("/reclaims/{reclaim_id}")
def read_reclaim(reclaim_id: Name, who: Reader, edge: AtHand) -> ReclaimOut:
    with edge.store.read() as tx:
        return reclaim_out(tx.reclaim(ReclaimId(reclaim_id), who.tenant), who)


@router.post("/reclaims/{reclaim_id}/carry-out", status_code=202, response_model=ReclaimOut)
@audited("reclaim.carry-out", "reclaim")
def carry_reclaim_out(reclaim_id: Name, who: Writer, edge: AtHand, once: Once) -> Response:
    """Shelve what was not given back, once the notice has ended. Where a guarantee needs the room this
    happens by itself."""

    def work(remember: Remember) -> ReclaimOut:
        with edge.store.write() as tx:
            found = decide(tx, ReclaimId(reclaim_id), who, edge.clock.now())
            answer = reclaim_out(found, who)
            remember(tx, answer)
        return answer

    return once.run(work, status=202)


@router.post("/reclaims/{reclaim_id}/withdraw", response_model=ReclaimOut)
@audited("reclaim.withdraw", "reclaim")
def withdraw_reclaim(reclaim_id: Name, who: Writer, edge: AtHand, once: Once) -> Response:
    """Borrowers keep what they have."""

    def work(remember: Remember) -> ReclaimOut:
        with edge.store.write() as tx:
            found = withdraw(tx, ReclaimId(reclaim_id), who, edge.clock.now())
            answer = reclaim_out(found, who)
            remember(tx, answer)
        return answer

    return once.run(work)


def _location(reclaim: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/reclaims/{reclaim['id']}"}

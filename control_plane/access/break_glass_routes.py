"""Break-glass over HTTP: members see what was opened on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.access.break_glass import break_glass_out, close, open_one
from control_plane.access.models import BreakGlassIn, BreakGlassOut
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission

router = APIRouter(prefix="/v1/break-glass", tags=["access"])

Reader = Annotated[Principal, needs(Permission.AUDIT_READ)]
Opener = Annotated[Principal, needs(Permission.BREAK_GLASS_OPEN)]


@router.post("", status_code=201, response_model=BreakGlassOut)
@audited("break-glass.open", "break-glass")
def open_break_glass(body: BreakGlassIn, who: Opener, edge: AtHand, once: Once) -> Response:
    """Open permissions beyond your role, for a reason. The member concerned and all operators are told."""

    def work(remember: Remember) -> BreakGlassOut:
        at = edge.clock.now()
        with edge.store.write() as tx, named_in_body():
            answer = break_glass_out(open_one(tx, body, who, at), at)
            remember(tx, answer)
        return answer

    return once.run(work, status=201)


@router.get("")
def read_break_glasses(
    who: Reader, edge: AtHand, limit: Limit = 100, cursor: Cursor = None
) -> Page[BreakGlassOut]:
    """Those that are open, and those that were."""
    at = edge.clock.now()
    with edge.store.read() as tx:
        grants = tx.break_glasses(who.tenant)
    return page_of(
        grants,
        key=lambda grant: grant.id,
        show=lambda grant: break_glass_out(grant, at),
        limit=limit,
        cursor=cursor,
    )


@router.get("/{grant_id}")
def read_break_glass(grant_id: Name, who: Reader, edge: AtHand) -> BreakGlassOut:
    with edge.store.read() as tx:
        return break_glass_out(tx.break_glass(grant_id, who.tenant), edge.clock.now())


@router.post("/{grant_id}/close", response_model=BreakGlassOut)
@audited("break-glass.close", "break-glass")
def close_break_glass(grant_id: Name, who: Opener, edge: AtHand, once: Once) -> Response:
    """End it before its time; anybody who may open one may close any."""

    def work(remember: Remember) -> BreakGlassOut:
        at = edge.clock.now()
        with edge.store.write() as tx:
            answer = break_glass_out(close(tx, grant_id, who, at), at)
            remember(tx, answer)
        return answer

    return once.run(work)

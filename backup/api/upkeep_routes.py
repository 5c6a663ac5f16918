"""How the work goes that keeps repositories in order, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from backup.api.common import Reader
from backup.api.place_models import UpkeepOut
from control_plane.http.edge import AtHand
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.model.backup.upkeep import Upkeep

router = APIRouter(prefix="/v1", tags=["backups"])


@router.get("/repository-upkeep")
def read_upkeep(
    who: Reader, edge: AtHand, *, limit: Limit = 100, cursor: Cursor = None
) -> Page[UpkeepOut]:
    """What nobody asks for: whether repositories are cleared of what was let go, read again, healed and copied
    to. A member sees that of its own ones alone."""
    with edge.store.read() as tx:
        theirs = {
            one.id
            for one in tx.repositories(who.tenant)
            if who.sees_hardware or (who.tenant is not None and one.tenant == who.tenant)
        }
        found = [each for each in tx.upkeep() if each.repository in theirs]
    return page_of(
        found,
        key=lambda one: f"{one.repository}/{one.tenant}/{one.work}",
        show=upkeep_out,
        limit=limit,
        cursor=cursor,
    )


def upkeep_out(one: Upkeep) -> UpkeepOut:
    return UpkeepOut(
        repository=one.repository,
        tenant=one.tenant.text,
        work=one.work.value,
        done_at=one.done_at,
        failing_since=one.failing_since,
        trouble_en=None if one.trouble is None else one.trouble.en,
        trouble_ja=None if one.trouble is None else one.trouble.ja,
    )

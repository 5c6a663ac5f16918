"""Members' capacity over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.conditions import entity_tag
from control_plane.http.edge import AtHand
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.ids import Generation, RegionId
from tenants.quota_models import QuotaOut
from tenants.quotas import quota_of, quotas

router = APIRouter(prefix="/v1", tags=["quotas"])


@router.get("/quotas")
def read_quotas(
    who: Annotated[Principal, needs(Permission.QUOTAS_READ)],
    edge: AtHand,
    *,
    tenant: Annotated[CodeText | None, Query()] = None,
    region: Name | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[QuotaOut]:
    """What is guaranteed to each member in each region, what it may ask for, what it uses, and what
    it could borrow now. A member's token sees its own alone."""
    with edge.store.read() as tx:
        found = quotas(tx, who.tenant, None if region is None else RegionId(region))
    return page_of(
        [one for one in found if tenant in (None, one.tenant)],
        key=lambda one: f"{one.tenant}/{one.region}",
        show=lambda one: one,
        limit=limit,
        cursor=cursor,
    )


@router.get("/members/{code}/quota", response_model=QuotaOut)
def read_member_quota(
    code: CodeText,
    who: Annotated[Principal, needs(Permission.QUOTAS_READ)],
    edge: AtHand,
    region: Name | None = None,
) -> Response:
    """The same of one member, with its ETag. `region` may be left out where there is one alone."""
    with edge.store.read() as tx:
        found = quota_of(tx, who, code, None if region is None else RegionId(region))
    return JSONResponse(
        found.model_dump(mode="json"), headers={"ETag": entity_tag(Generation(found.generation))}
    )

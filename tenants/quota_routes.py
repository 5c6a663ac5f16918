"""Members' capacity over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.conditions import Expected, entity_tag, generation_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.allotment import Capacity
from control_plane.model.ids import Generation, RegionId
from control_plane.model.units import GiB, MiB, VCpu
from tenants.quota_models import AmountsIn, QuotaIn, QuotaOut, QuotaPlan
from tenants.quotas import QuotaWanted, quota_of, quotas, set_quota

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


@router.put(
    "/members/{code}/quota",
    response_model=QuotaOut,
    responses={200: {"model": QuotaPlan | QuotaOut, "description": "With `dry_run`: the plan."}},
)
@audited("quota.set", "member")
def set_member_quota(
    code: CodeText,
    body: QuotaIn,
    who: Annotated[Principal, needs(Permission.QUOTAS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Guarantee a member that much, and let it ask for so much at most. The room for what it does not
    use yet is found and held at once, beside what is guaranteed to all others, or nothing changes."""
    wanted = QuotaWanted(
        code,
        None if body.region is None else RegionId(body.region),
        _capacity(body.guaranteed),
        _capacity(body.quota),
        expected,
    )

    def rehearse(_: Remember) -> QuotaPlan:
        before, after = set_quota(edge, wanted, who, lambda _, __: None, dry_run=True)
        return QuotaPlan(before=before, after=after)

    def work(remember: Remember) -> QuotaOut:
        return set_quota(edge, wanted, who, remember)[1]

    return once.run(rehearse) if dry_run else once.run(work, headers=generation_tag)


def _capacity(given: AmountsIn) -> Capacity:
    return Capacity(VCpu(given.vcpus), MiB(given.memory_mib), GiB(given.disk_gib))

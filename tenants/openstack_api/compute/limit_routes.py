"""What a member may have of a region, and has."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.store.rows import not_found
from tenants.openstack_api.callers import Project
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.limits import UNLIMITED, absolute, limits_of, quota_counts
from tenants.openstack_api.compute.server_view import Json, ServerView, View
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.QUOTAS_READ)]
Setter = Annotated[Principal, needs(Permission.QUOTAS_WRITE)]
ProjectRef = Annotated[str, Path(max_length=64, description="The member's own code, and no other.")]


@router.get("/limits")
async def read_limits(
    _: Reader,
    view: View,
    edge: AtHand,
    tenant_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """How much the member may have here and how much of it is used; -1 where there is no limit."""
    _need_own(view, view.tenant.text if tenant_id is None else tenant_id)
    limits = await edge.look(lambda tx: limits_of(tx, view.tenant, view.region))
    body = {"limits": {"rate": [], "absolute": absolute(limits, view.version)}}
    return told(body)


@router.get("/os-quota-sets/{project_id}")
async def read_quota(project_id: ProjectRef, _: Reader, view: View, edge: AtHand) -> Response:
    """The member's quota in the region; -1 where there is no limit."""
    _need_own(view, project_id)
    limits = await edge.look(lambda tx: limits_of(tx, view.tenant, view.region))
    counts = quota_counts(limits, view.version)
    return _quota_set(view, {name: count.limit for name, count in counts.items()})


@router.get("/os-quota-sets/{project_id}/detail")
async def read_quota_in_detail(
    project_id: ProjectRef, _: Reader, view: View, edge: AtHand
) -> Response:
    """The same with what is used of it."""
    _need_own(view, project_id)
    limits = await edge.look(lambda tx: limits_of(tx, view.tenant, view.region))
    counts = quota_counts(limits, view.version)
    return _quota_set(
        view,
        {
            name: {"limit": count.limit, "in_use": count.used, "reserved": 0}
            for name, count in counts.items()
        },
    )


@router.get("/os-quota-sets/{project_id}/defaults")
async def read_default_quota(
    project_id: ProjectRef, _: Reader, view: View, edge: AtHand
) -> Response:
    """What a member has where nobody has set anything: no limit on servers."""
    _need_own(view, project_id)
    limits = await edge.look(lambda tx: limits_of(tx, view.tenant, view.region))
    unset = {"cores": UNLIMITED, "ram": UNLIMITED}
    counts = quota_counts(limits, view.version)
    return _quota_set(view, {name: count.limit for name, count in counts.items()} | unset)


@router.put("/os-quota-sets/{project_id}")
@audited("quota.set", "member")
def set_quota(_: Setter, _project: Project) -> Response:
    """Refused: operators and approvers set quotas, through `/v1/members/{code}/quota`."""
    raise _NOT_HERE


@router.delete("/os-quota-sets/{project_id}")
@audited("quota.set", "member")
def unset_quota(_: Setter, _project: Project) -> Response:
    """Refused: operators and approvers set quotas, through `/v1/members/{code}/quota`."""
    raise _NOT_HERE


def _need_own(view: ServerView, project: str) -> None:
    if project != view.tenant.text:
        raise not_found("tenant", project)


def _quota_set(view: ServerView, counts: Json) -> Response:
    return told({"quota_set": {"id": view.tenant.text, **counts}})


_NOT_HERE = YuiError(
    "quota-not-set-here",
    en="Quotas are set by the consortium's operators and approvers through /v1/members/{code}/quota.",
    ja="クォータは運用担当者または承認者が /v1/members/{code}/quota で設定します。",
    status=403,
)

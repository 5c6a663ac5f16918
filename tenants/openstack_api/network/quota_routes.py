"""How much of each a member may have, and has. The consortium sets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.listing import written
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from tenants.networks.groups import MOST_GROUPS
from tenants.networks.models import MOST_RULES
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.network.asked import PREFIX, TAGS, Reader
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.missing import missing

router = APIRouter(prefix=f"{PREFIX}/quotas", tags=[*TAGS])

_UNLIMITED = -1
LIMITS: Mapping[str, int] = {
    "network": len(Zone),
    "subnet": _UNLIMITED,
    # As many as servers, of which there may be what capacity allows.
    "port": _UNLIMITED,
    "security_group": MOST_GROUPS,
    "security_group_rule": MOST_GROUPS * MOST_RULES,
}

ProjectId = Annotated[str, Path(max_length=64)]


@router.get("/{project_id}")
async def show_quota(
    project_id: ProjectId, _who: Reader, project: Project, _region: InRegion
) -> dict[str, Mapping[str, int]]:
    """How many of each the member may have; -1 where there is no limit. Networks are counted in each region."""
    _own(project_id, project)
    return {"quota": LIMITS}


@router.get("/{project_id}/default")
async def show_default_quota(
    project_id: ProjectId, _who: Reader, project: Project, _region: InRegion
) -> dict[str, Mapping[str, int]]:
    """The same, since all members may have the same."""
    _own(project_id, project)
    return {"quota": LIMITS}


@router.get("/{project_id}/details.json")
@router.get("/{project_id}/details")
async def show_quota_details(
    project_id: ProjectId, _who: Reader, project: Project, region: InRegion, edge: AtHand
) -> Response:
    """How many of each the member may have, and has."""
    _own(project_id, project)

    def look(tx: Snapshot) -> bytes:
        facts = Facts(tx, project, region)
        groups = tx.security_groups(project)
        used = {
            "network": len(facts.networks),
            "subnet": len(facts.subnet_views()),
            "port": len(facts.port_views()),
            "security_group": len(groups),
            "security_group_rule": sum(len(group.rules) for group in groups),
        }
        details = {
            name: {"limit": limit, "used": used[name], "reserved": 0}
            for name, limit in LIMITS.items()
        }
        return written({"quota": details})

    return Response(await edge.look(look), media_type="application/json")


@router.put("/{project_id}")
@audited("quota.set", "member")
def set_quota(
    project_id: ProjectId,
    _who: Annotated[Principal, needs(Permission.QUOTAS_WRITE)],
    project: Project,
    _region: InRegion,
) -> Response:
    """Refused (403): what members may have of networks is the same for all."""
    _own(project_id, project)
    raise _fixed()


@router.delete("/{project_id}", status_code=204)
@audited("quota.set", "member")
def reset_quota(
    project_id: ProjectId,
    _who: Annotated[Principal, needs(Permission.QUOTAS_WRITE)],
    project: Project,
    _region: InRegion,
) -> Response:
    """Refused (403): what members may have of networks is the same for all."""
    _own(project_id, project)
    raise _fixed()


def _own(asked: str, project: MunicipalityCode) -> None:
    if asked != project.text:
        raise missing("project", asked)


def _fixed() -> YuiError:
    return YuiError(
        "network-quota-fixed",
        en="What members may have of networks and security groups is the same for all and can't be set.",
        ja="ネットワークとセキュリティグループの上限は全団体共通で、変更できません。",
        status=403,
    )

"""Who asks here: members alone, each of whom is one project."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from control_plane.http.auth import principal_of
from control_plane.http.edge import edge_of
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.rows import not_found
from tenants.openstack_api.identity.catalogue import serves

DOMAIN = {"id": "default", "name": "Default"}
"""The one domain that everybody is in."""


async def _project(request: Request) -> MunicipalityCode:
    tenant = principal_of(request).tenant
    if tenant is None:
        raise YuiError(
            "project-missing",
            en="You act for no member, and so for no project: the OpenStack API is for members; use /v1.",
            ja="参加団体としての利用ではないため、対象のプロジェクトがありません。OpenStack API は参加団体用です。/v1 をお使いください。",
            status=403,
        )
    return tenant


OF_A_MEMBER = Depends(_project)
"""For routers and routes that don't look at whose things they are. Raises `project-missing` (403)."""

Project = Annotated[MunicipalityCode, Depends(_project)]
"""The member whose things are asked for. Raises `project-missing` (403)."""


async def _region(request: Request, project: Project) -> RegionId:
    region = RegionId(str(request.path_params["region"])[:63])
    if not await edge_of(request).look(lambda tx: serves(tx, region, project)):
        raise not_found("region", region)
    return region


InRegion = Annotated[RegionId, Depends(_region)]
"""The region of the path, which serves the member. Raises `region-not-found` (404), for one that doesn't
as for one that there isn't. A route names it behind `who`, so that permission is asked for first."""

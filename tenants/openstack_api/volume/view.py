"""For whom an answer about volumes is made, and how it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response

from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import not_found
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.links import root_of, service_url
from tenants.openstack_api.microversions import Version
from tenants.openstack_api.services import PREFIX, Service
from tenants.openstack_api.volume.versions import Asked

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VolumeView:
    """`tenant` is the member whose volumes of `region` are asked for."""

    tenant: MunicipalityCode
    region: RegionId
    version: Version
    href: str
    """Of everything of the project's, without a slash at its end."""
    bookmark: str

    def links(self, *path: str) -> list[Json]:
        below = "/".join(path)
        return [
            {"rel": "self", "href": f"{self.href}/{below}"},
            {"rel": "bookmark", "href": f"{self.bookmark}/{below}"},
        ]

    def told(
        self,
        body: Mapping[str, Any] | None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """`body` None is an empty answer."""
        return Response(
            None if body is None else orjson.dumps(body),
            status,
            headers,
            None if body is None else "application/json",
        )

    def retold(self, done: Response, *, empty: bool = False) -> Response:
        """What a promise to do it once answered."""
        if empty:
            replayed = done.headers.get("Idempotency-Replayed")
            headers = {} if replayed is None else {"Idempotency-Replayed": replayed}
            return self.told(None, done.status_code, headers)
        return done


async def _view(
    request: Request,
    version: Asked,
    tenant: Project,
    region: InRegion,
) -> VolumeView:
    named = request.path_params.get("project")
    if named not in (None, tenant.text):
        raise not_found("tenant", str(named)[:64])
    plain = f"{root_of(request)}{PREFIX}/regions/{region}/{Service.VOLUME}"
    href = f"{service_url(request, Service.VOLUME, region)}/{tenant.text}"
    return VolumeView(tenant, region, version, href, f"{plain}/{tenant.text}")


View = Annotated[VolumeView, Depends(_view)]
"""Raises `microversion-unsupported` (406), `project-missing` (403), `region-not-found` and
`tenant-not-found` (404). A route names it behind `who`, so that permission is asked for first."""

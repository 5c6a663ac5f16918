"""Which versions of Block Storage there are, as clients discover them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from control_plane.http.auth import Whoever
from tenants.openstack_api.callers import InRegion
from tenants.openstack_api.links import AnyRegion, self_link, service_url
from tenants.openstack_api.services import Service, in_region
from tenants.openstack_api.volume.versions import VOLUME_VERSIONS, Asked

router = APIRouter(prefix=in_region(Service.VOLUME), tags=["openstack block storage"])


def _versions(request: Request, region: str) -> dict[str, Any]:
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": str(VOLUME_VERSIONS.most),
        "min_version": str(VOLUME_VERSIONS.least),
        "updated": "2016-02-08T12:20:21Z",
        "links": [self_link(f"{service_url(request, Service.VOLUME, region)}/")],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.volume+json;version=3",
            }
        ],
    }
    return {"versions": [version]}


@router.get("", status_code=300)
async def read_versions(request: Request, region: AnyRegion, _: Asked) -> JSONResponse:
    """The one version, for clients that look around."""
    return JSONResponse(_versions(request, region), 300)


@router.get("/v3")
async def read_version(
    request: Request, _: Whoever, region: InRegion, _version: Asked
) -> JSONResponse:
    """Version 3, with the microversions that are spoken; below it the project's id may be left out."""
    return JSONResponse(_versions(request, region))

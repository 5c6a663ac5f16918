"""Which versions of Compute there are, as clients discover them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from tenants.openstack_api.compute.versions import COMPUTE_VERSIONS, Asked
from tenants.openstack_api.links import AnyRegion, self_link, service_url
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE), tags=["openstack compute"])


def _version(request: Request, region: str) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": str(COMPUTE_VERSIONS.most),
        "min_version": str(COMPUTE_VERSIONS.least),
        "updated": "2013-07-23T11:33:21Z",
        "links": [self_link(f"{service_url(request, Service.COMPUTE, region)}/")],
    }


@router.get("")
async def read_versions(request: Request, region: AnyRegion) -> JSONResponse:
    """The one version, with the microversions that are spoken."""
    return JSONResponse({"versions": [_version(request, region)]})


@router.get("/v2.1")
async def read_version(request: Request, region: AnyRegion, _: Asked) -> JSONResponse:
    """Version 2.1, with the microversions that are spoken."""
    media = {
        "base": "application/json",
        "type": "application/vnd.openstack.compute+json;version=2.1",
    }
    return JSONResponse({"version": {**_version(request, region), "media-types": [media]}})

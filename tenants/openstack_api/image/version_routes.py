"""Which version of Image there is, and the schemas of its documents."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request

from control_plane.http.auth import needs
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from tenants.openstack_api.callers import InRegion
from tenants.openstack_api.image.schemas import IMAGE, IMAGES
from tenants.openstack_api.links import AnyRegion, self_link, service_url
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.IMAGE), tags=["openstack image"])

Reader = Annotated[Principal, needs(Permission.IMAGES_READ)]


def _versions(request: Request, region: str) -> dict[str, Any]:
    """2.5 is the last without imports and stores, of which there are none here."""
    links = [self_link(f"{service_url(request, Service.IMAGE, region)}/")]
    return {"versions": [{"id": "v2.5", "status": "CURRENT", "links": links}]}


@router.get("", status_code=300)
async def versions(request: Request, region: AnyRegion) -> dict[str, Any]:
    """Which versions there are, for clients that look around."""
    return _versions(request, region)


@router.get("/versions")
async def known_versions(request: Request, region: AnyRegion) -> dict[str, Any]:
    """Which versions there are."""
    return _versions(request, region)


@router.get("/v2/schemas/image")
async def schema_of_image(_: Reader, _region: InRegion) -> dict[str, Any]:
    """The JSON schema of an image."""
    return IMAGE


@router.get("/v2/schemas/images")
async def schema_of_images(_: Reader, _region: InRegion) -> dict[str, Any]:
    """The JSON schema of a list of images."""
    return IMAGES

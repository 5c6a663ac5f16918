"""Which version of Network there is, what it holds, and which extensions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from tenants.openstack_api.callers import InRegion
from tenants.openstack_api.links import AnyRegion, self_link, service_url
from tenants.openstack_api.network.asked import AnyId, Reader
from tenants.openstack_api.network.extensions import EXTENSIONS
from tenants.openstack_api.network.missing import missing
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.NETWORK), tags=["openstack network"])

_RESOURCES = (
    ("network", "networks"),
    ("subnet", "subnets"),
    ("port", "ports"),
    ("security_group", "security-groups"),
    ("security_group_rule", "security-group-rules"),
    ("address_group", "address-groups"),
    ("quota", "quotas"),
    ("extension", "extensions"),
)


@router.get("")
async def versions(request: Request, region: AnyRegion) -> dict[str, Any]:
    """Which versions of Network there are."""
    links = [self_link(f"{service_url(request, Service.NETWORK, region)}/")]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


@router.get("/v2.0")
async def resources(request: Request, _who: Reader, region: InRegion) -> dict[str, Any]:
    """What the version holds."""
    base = service_url(request, Service.NETWORK, region)
    return {
        "resources": [
            {"name": name, "collection": path, "links": [self_link(f"{base}/{path}")]}
            for name, path in _RESOURCES
        ]
    }


@router.get("/v2.0/extensions")
async def read_extensions(_who: Reader, _region: InRegion) -> dict[str, Any]:
    """The extensions that are there, each of them whole."""
    return {"extensions": list(EXTENSIONS)}


@router.get("/v2.0/extensions/{alias}")
async def read_extension(alias: AnyId, _who: Reader, _region: InRegion) -> dict[str, Any]:
    """One extension."""
    found = next((each for each in EXTENSIONS if each["alias"] == alias), None)
    if found is None:
        raise missing("extension", alias)
    return {"extension": found}

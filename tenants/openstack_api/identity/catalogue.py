"""The catalogue: which services there are, in which of the regions that serve a member."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from control_plane.model.ids import RegionId
from control_plane.model.pool import Region
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.store import Snapshot
from tenants.openstack_api.links import identity_url, service_url
from tenants.openstack_api.services import REGIONAL, Service

_TYPES: dict[Service, tuple[tuple[str, str], ...]] = {
    Service.IDENTITY: (("identity", "keystone"),),
    Service.COMPUTE: (("compute", "nova"),),
    Service.IMAGE: (("image", "glance"),),
    Service.NETWORK: (("network", "neutron"),),
    # Clients look for block storage under its new name and its old one.
    Service.VOLUME: (("block-storage", "cinder"), ("volumev3", "cinderv3")),
}
"""Type and name of each service (OpenStack service-types authority)."""


def regions_of(tx: Snapshot, tenant: MunicipalityCode) -> tuple[RegionId, ...]:
    """Those that serve the member's prefecture, and those where it has a system anyway."""
    member = tx.tenant(tenant)
    there = {system.region for system in tx.systems(tenant)}
    return tuple(
        region.id for region in tx.regions() if region.id in there or _meant_for(region, member)
    )


def serves(tx: Snapshot, region: RegionId, tenant: MunicipalityCode) -> bool:
    """Whether `regions_of` names it. Raises `region-not-found`."""
    known = tx.region(region)
    return _meant_for(known, tx.tenant(tenant)) or bool(tx.systems(tenant, region))


def _meant_for(region: Region, member: Tenant) -> bool:
    return not region.prefectures or member.prefecture in region.prefectures


def catalogue(
    request: Request, regions: Sequence[RegionId], tenant: MunicipalityCode | None
) -> list[dict[str, Any]]:
    """As a token carries it. Without a member there is identity alone."""
    services = (Service.IDENTITY, *REGIONAL) if tenant is not None else (Service.IDENTITY,)
    return [
        {
            "id": _id(type),
            "type": type,
            "name": name,
            "endpoints": [
                endpoint
                for region in regions
                for endpoint in _endpoints(type, region, _url(request, service, region, tenant))
            ],
        }
        for service in services
        for type, name in _TYPES[service]
    ]


def _url(
    request: Request, service: Service, region: RegionId, tenant: MunicipalityCode | None
) -> str:
    if service is Service.IDENTITY:
        return identity_url(request)
    # Glance and Neutron are named by where their versions are told.
    versioned = service in (Service.COMPUTE, Service.VOLUME)
    url = service_url(request, service, region, versioned=versioned)
    return f"{url}/{tenant}" if service is Service.VOLUME else url


def _endpoints(type: str, region: RegionId, url: str) -> list[dict[str, Any]]:
    """Public, internal and admin, all the same: there is one door."""
    return [
        {
            "id": _id(f"{type} {region} {interface}"),
            "interface": interface,
            "region": region,
            "region_id": region,
            "url": url,
        }
        for interface in ("public", "internal", "admin")
    ]


def _id(of: str) -> str:
    """Always the same for the same, as ids are expected to be."""
    return hashlib.blake2b(of.encode(), digest_size=16, person=b"yui catalogue").hexdigest()

"""Availability zones: the sites of the region."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Up
from control_plane.model.ids import RegionId
from control_plane.model.pool import Duty
from control_plane.store import Snapshot
from tenants.openstack_api.callers import Project
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.server_view import Json, View
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])


@router.get("/os-availability-zone")
async def read_zones(
    _: Annotated[Principal, needs(Permission.CATALOGUE_READ)], view: View, edge: AtHand
) -> Response:
    """The sites of the region by id; one is available while a host of it takes servers."""
    zones = await edge.look(lambda tx: _zones(tx, view.region))
    return told({"availabilityZoneInfo": zones})


@router.get("/os-availability-zone/detail")
async def read_zones_in_detail(
    _: Annotated[Principal, needs(Permission.POOL_READ)], _project: Project
) -> Response:
    """Refused: members see no hardware."""
    raise YuiError(
        "hardware-hidden",
        en="Policy doesn't allow os_compute_api:os-availability-zone:detail to be performed: members see no hardware.",
        ja="参加団体はハードウェアを参照できません。詳細なしの一覧を使ってください。",
        status=403,
    )


def _zones(tx: Snapshot, region: RegionId) -> list[Json]:
    taking = {
        host.site
        for host in tx.hosts(region)
        if isinstance(host.health, Up) and host.duty is Duty.IN_SERVICE
    }
    return [
        {"zoneName": site.id, "zoneState": {"available": site.id in taking}, "hosts": None}
        for site in tx.sites(region)
    ]

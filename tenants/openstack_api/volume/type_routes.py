"""What volumes can be: one type, in the zones that are the region's sites."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.store import Snapshot, not_found
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.documents import TYPE
from tenants.openstack_api.volume.read_routes import Reader
from tenants.openstack_api.volume.view import Json, View, VolumeView

routes = Routes()

_TYPE: Json = {
    "id": TYPE,
    "name": TYPE,
    "description": "On the shared storage of the servers that may have it.",
    "is_public": True,
    "os-volume-type-access:is_public": True,
    "extra_specs": {},
    "qos_specs_id": None,
}


@routes.get("/types")
async def read_types(_: Reader, view: View) -> Response:
    """The one type of volumes."""
    return view.told({"volume_types": [_TYPE]})


@routes.get("/types/{type}")
async def read_type(
    type: Annotated[str, Path(max_length=255, description="`default`.")], _: Reader, view: View
) -> Response:
    """The one type; volumes that are made without naming one are of it."""
    if type != TYPE:
        raise not_found("volume-type", type)
    return view.told({"volume_type": _TYPE})


@routes.get("/os-availability-zone")
async def read_zones(
    _: Annotated[Principal, needs(Permission.CATALOGUE_READ)], view: View, edge: AtHand
) -> Response:
    """The sites of the region by id; one is available where it has storage."""
    return view.told({"availabilityZoneInfo": await edge.look(lambda tx: _zones(tx, view))})


@routes.get("/extensions")
async def read_extensions(_: Reader, view: View) -> Response:
    """There are none: what there is stands in the API itself."""
    return view.told({"extensions": []})


def _zones(tx: Snapshot, view: VolumeView) -> list[Json]:
    return [
        {"zoneName": site.id, "zoneState": {"available": bool(site.storage_pools)}}
        for site in tx.sites(view.region)
    ]

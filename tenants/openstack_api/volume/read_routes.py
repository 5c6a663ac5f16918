"""Volumes are listed and shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.ids import VolumeId
from control_plane.model.volume import Volume
from control_plane.store import Snapshot, not_found
from tenants.openstack_api.compute.paging import Limit, Marker, next_link, page_of
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.documents import document, documents
from tenants.openstack_api.volume.listing import in_order, wanted
from tenants.openstack_api.volume.view import Json, View, VolumeView

routes = Routes()

Reader = Annotated[Principal, needs(Permission.VOLUMES_READ)]
Text = Annotated[str | None, Query(max_length=255)]
VolumeRef = Annotated[str, Path(max_length=255, description="A volume's id.")]


@routes.get("/volumes")
async def read_volumes(
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """The member's volumes of the region by id and name, newest first."""
    found = await edge.look(lambda tx: _listed(tx, request, view))
    page, following = page_of(found[offset:], limit, marker, lambda one: str(one["id"]))
    body: Json = {"volumes": [{key: one[key] for key in ("id", "name", "links")} for one in page]}
    if following is not None:
        body["volumes_links"] = next_link(request, following)
    return view.told(body)


@routes.get("/volumes/detail")
async def read_volumes_in_detail(
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """The same in full, with the servers that they are attached to; filtered by name, status, zone and metadata."""
    found = await edge.look(lambda tx: _listed(tx, request, view))
    page, following = page_of(found[offset:], limit, marker, lambda one: str(one["id"]))
    body: Json = {"volumes": list(page)}
    if following is not None:
        body["volumes_links"] = next_link(request, following)
    return view.told(body)


@routes.get("/volumes/{volume}")
async def read_volume(volume: VolumeRef, _: Reader, view: View, edge: AtHand) -> Response:
    """One volume."""
    shown = await edge.look(lambda tx: document(tx, own_volume(tx, volume, view), view))
    return view.told({"volume": shown})


def own_volume(tx: Snapshot, id: str, view: VolumeView) -> Volume:
    """Raises `volume-not-found`, also for one of another region."""
    found = tx.volume(VolumeId(id), view.tenant)
    if found.region != view.region:
        raise not_found("volume", id)
    return found


def _listed(tx: Snapshot, request: Request, view: VolumeView) -> list[Json]:
    query = request.query_params
    every = documents(tx, tx.volumes(view.tenant, region=view.region), view)
    return in_order(wanted(every, query.multi_items()), query)

"""Images are listed and shown."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.listing import written
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.store import Snapshot
from images.at_hand import Folder
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.image.listing import Asked, Order, order_of, page
from tenants.openstack_api.image.views import all_shown, find, shown
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.IMAGE) + "/v2", tags=["openstack image"])

Reader = Annotated[Principal, needs(Permission.IMAGES_READ)]
Text = Annotated[str | None, Query(max_length=255)]
JSON = "application/json"


async def _ordered(
    sort: Text = None,
    sort_key: Annotated[list[str] | None, Query(max_length=16)] = None,
    sort_dir: Annotated[list[str] | None, Query(max_length=16)] = None,
) -> Order:
    return order_of(sort, sort_key or [], sort_dir or [])


Ordered = Annotated[Order, Depends(_ordered)]


@router.get("/images")
async def read_images(
    request: Request,
    _: Reader,
    _region: InRegion,
    project: Project,
    edge: AtHand,
    folder: Folder,
    *,
    limit: Annotated[int, Query(ge=0, le=2**31)] = 25,
    marker: Text = None,
    order: Ordered,
) -> Response:
    """The catalogue's images and the member's own, newest first, filtered as Glance does: by name, id,
    status, visibility, owner, sizes, times, and any property."""
    asked = Asked.of(request.query_params.multi_items(), limit, marker, order)

    def look(tx: Snapshot) -> bytes:
        return written(page(all_shown(tx, folder, project), asked))

    return Response(await edge.look(look), media_type=JSON)


@router.get("/images/{image}")
async def read_image(
    image: str, _: Reader, _region: InRegion, project: Project, edge: AtHand, *, folder: Folder
) -> Response:
    """One image."""

    def look(tx: Snapshot) -> dict[str, Any]:
        return shown(tx, find(tx, image, project), folder, project).document()

    return Response(written(await edge.look(look)), media_type=JSON)

"""Flavors: the pool's, which every member may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand, Edge
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId
from control_plane.model.workload import Flavor
from control_plane.store import Snapshot
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.paging import Limit, Marker, next_link, page_of
from tenants.openstack_api.compute.server_view import Json, ServerView, View
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.CATALOGUE_READ)]
FlavorRef = Annotated[str, Path(max_length=255, description="A flavor's id, which is its name.")]
Least = Annotated[int | None, Query(ge=0, le=2**53)]
Key = Annotated[str, Query(max_length=40)]
Direction = Annotated[str, Query(pattern="^(asc|desc)$", max_length=4)]

_SORT_KEYS: Mapping[str, Callable[[Flavor], Any]] = {
    "flavorid": lambda flavor: flavor.id,
    "id": lambda flavor: flavor.id,
    "name": lambda flavor: flavor.id,
    "memory_mb": lambda flavor: flavor.size.memory,
    "vcpus": lambda flavor: flavor.size.vcpu,
    "root_gb": lambda flavor: flavor.disk,
}
_SAME_FOR_ALL = frozenset(
    {
        "created_at", "updated_at", "ephemeral_gb", "swap", "rxtx_factor", "vcpu_weight", "disabled",
        "is_public",
    }
)  # fmt: skip


@router.get("/flavors")
async def read_flavors(
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
    min_disk: Annotated[Least, Query(alias="minDisk")] = None,
    min_ram: Annotated[Least, Query(alias="minRam")] = None,
    sort_key: Key = "flavorid",
    sort_dir: Direction = "asc",
) -> Response:
    """Flavors by name."""
    flavors = await _wanted(edge, min_disk, min_ram, (sort_key, sort_dir))
    page, following = page_of(flavors, limit, marker, lambda flavor: flavor.id)
    shown = [_brief(flavor, view) for flavor in page]
    return told(_page(request, shown, following))


@router.get("/flavors/detail")
async def read_flavors_in_detail(
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
    min_disk: Annotated[Least, Query(alias="minDisk")] = None,
    min_ram: Annotated[Least, Query(alias="minRam")] = None,
    sort_key: Key = "flavorid",
    sort_dir: Direction = "asc",
) -> Response:
    """Flavors with their sizes."""
    flavors = await _wanted(edge, min_disk, min_ram, (sort_key, sort_dir))
    page, following = page_of(flavors, limit, marker, lambda flavor: flavor.id)
    shown = [_detail(flavor, view) for flavor in page]
    return told(_page(request, shown, following))


@router.get("/flavors/{flavor}")
async def read_flavor(flavor: FlavorRef, _: Reader, view: View, edge: AtHand) -> Response:
    """One flavor."""
    found = await edge.look(lambda tx: tx.flavor(FlavorId(flavor)))
    return told({"flavor": _detail(found, view)})


@router.get("/flavors/{flavor}/os-extra_specs")
async def read_extra_specs(flavor: FlavorRef, _: Reader, _view: View, edge: AtHand) -> Response:
    """What else a flavor asks for, which is nothing."""
    await edge.look(lambda tx: tx.flavor(FlavorId(flavor)))
    return told({"extra_specs": {}})


async def _wanted(
    edge: Edge,
    min_disk: int | None,
    min_ram: int | None,
    order: tuple[str, str],
) -> list[Flavor]:
    """All are public, so that `is_public` says nothing to members, as at Nova."""
    key, direction = order
    if key not in _SORT_KEYS and key not in _SAME_FOR_ALL:
        raise YuiError(
            "sort-key-unknown",
            en="Flavors can't be sorted by that: use flavorid, name, memory_mb, vcpus or root_gb.",
            ja="その項目では並べ替えられません。flavorid・name・memory_mb・vcpus・root_gb のいずれかを指定してください。",
            status=400,
        )

    def look(tx: Snapshot) -> list[Flavor]:
        found = [
            flavor
            for flavor in sorted(tx.flavors(), key=lambda flavor: flavor.id)
            if flavor.disk >= (min_disk or 0) and flavor.size.memory >= (min_ram or 0)
        ]
        found.sort(key=_SORT_KEYS.get(key, _SORT_KEYS["id"]), reverse=direction == "desc")
        return found

    return await edge.look(look)


def _page(request: Request, shown: list[Json], following: str | None) -> Json:
    body: Json = {"flavors": shown}
    if following is not None:
        body["flavors_links"] = next_link(request, following)
    return body


def _brief(flavor: Flavor, view: ServerView) -> Json:
    links = [
        {"rel": "self", "href": f"{view.endpoint}/flavors/{flavor.id}"},
        {"rel": "bookmark", "href": f"{view.root}/flavors/{flavor.id}"},
    ]
    brief: Json = {"id": flavor.id, "name": flavor.id, "links": links}
    return {**brief, "description": None} if since(view.version, 55) else brief


def _detail(flavor: Flavor, view: ServerView) -> Json:
    shown: Json = {
        **_brief(flavor, view),
        "ram": flavor.size.memory,
        "vcpus": flavor.size.vcpu,
        "disk": flavor.disk,
        "swap": 0 if since(view.version, 75) else "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
    }
    return {**shown, "extra_specs": {}} if since(view.version, 61) else shown

"""What a host's agent asks: the host's plan, as soon as it differs from the one that it has.

With the question it says which plan it has made so. Both may be another one: a plan that was read and
can't be made so is not asked for again and again.
"""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, Edge
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, Json, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, RegionId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.store import Snapshot
from tenants.networks.models import HostNetworkOut, HostNetworkState
from tenants.networks.network_routes import HostNetworksAtHand
from tenants.networks.plans import tag_of

router = APIRouter(prefix="/v1", tags=["networks"])

_LONGEST_WAIT = 60


@router.get(
    "/hosts/{host_id}/network",
    response_model=HostNetworkOut,
    responses={304: {"description": "The plan with that ETag is still the host's."}},
)
async def read_host_network(
    host_id: Name,
    _: Annotated[Principal, needs(Permission.HOST_NETWORK_READ)],
    edge: AtHand,
    host_networks: HostNetworksAtHand,
    *,
    wait: Annotated[
        int,
        Query(
            ge=0,
            le=_LONGEST_WAIT,
            description="Wait so many seconds for a plan with another ETag than If-None-Match's.",
        ),
    ] = 0,
    applied: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9a-f]{32}$",
            description="The ETag, without its quotes, of the plan that the host has made so.",
        ),
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The segments that the host carries, who is plugged in, and what may pass. Equal plans are equal
    bytes."""
    host = HostId(host_id)
    had = {name.strip().strip('"') for name in (if_none_match or "").split(",")}

    def now(tx: Snapshot) -> bytes:
        content = host_networks.at(tx).content(host)
        if content is None:
            tx.host(host)
            raise _by_its_site(host)
        return content

    def other(tx: Snapshot) -> bytes | None:
        content = host_networks.news(tx, host, edge.clock.monotonic)
        return None if content is None or tag_of(content) in had else content

    if applied is not None:
        await to_thread.run_sync(_note, edge, host, applied)
    content: bytes | None = await edge.look(now)
    if content is not None and tag_of(content) in had:
        content = await edge.watch.until(other, Seconds(wait))
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if content is None:
        return Response(status_code=304, headers={"ETag": if_none_match or "", **headers})
    tag = f'"{tag_of(content)}"'
    return Response(content, media_type="application/json", headers={"ETag": tag, **headers})


@router.get("/host-networks", response_model=Page[HostNetworkState], responses=LIST_ANSWERS)
async def read_host_networks(
    _: Annotated[Principal, needs(Permission.HOST_NETWORK_READ)],
    edge: AtHand,
    host_networks: HostNetworksAtHand,
    *,
    region: Annotated[Name | None, Query(description="Only hosts of this region.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Which hosts have made their plans so, by id, in pages."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        hosts = tx.host_page(limit + 1, after, region=None if region is None else RegionId(region))
        plans, reports = host_networks.at(tx), tx.network_reports()

        def show(host: Host) -> Json:
            content = plans.content(host.id)
            applied, since = reports.get(host.id, (None, None))
            return {
                "host": host.id,
                "region": host.region,
                "in_effect": plans.effect_on(host.id, applied),
                "planned": None if content is None else tag_of(content),
                "applied": applied,
                "applied_since": since,
            }

        return page_bytes(hosts, limit, show, key=lambda host: host.id)

    return listed(await edge.look(page), if_none_match)


def _note(edge: Edge, host: HostId, applied: str) -> None:
    with edge.store.read() as tx:
        tx.host(host)
        if tx.applied_networks().get(host) == applied:
            return
    with edge.store.write() as tx:
        tx.note_applied_network(host, applied, edge.clock.now())


def _by_its_site(host: HostId) -> YuiError:
    return YuiError(
        "host-network-by-site",
        en=f"Host '{host}' leaves members' networks to its site's own people: its bridge in the pool file names no {{segment}}.",
        ja=f"ホスト「{host}」の参加団体のネットワークは、サイトの担当者が管理しています(プールファイルの bridge に {{segment}} がありません)。",
        status=409,
        fields={"host": host},
    )

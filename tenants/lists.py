"""The long lists of members, systems and servers over HTTP."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name, ShortText
from control_plane.http.edge import AtHand
from control_plane.http.listing import (
    LIST_ANSWERS,
    IfNoneMatch,
    Json,
    OfMember,
    listed,
    page_bytes,
    written,
)
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.addressing import mac_of
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, HostId, RegionId, SystemId
from control_plane.model.membership import MembershipState
from control_plane.model.pool import Zone
from control_plane.model.workload import ServerStatus
from control_plane.store import Snapshot
from control_plane.store.listing import ServerFilter, ServerRow, SystemRow
from tenants.catalogue import Catalogue
from tenants.models import MemberOut, ServerOut, SystemOut
from tenants.routes import Known
from tenants.views import member_out

router = APIRouter(prefix="/v1", tags=["tenants"])

BeginningOfName = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z0-9-]{0,63}\*?$",
        min_length=1,
        max_length=64,
        description="Only servers of this name; with `*` at its end, those whose names begin so.",
    ),
]


@router.get("/servers", response_model=Page[ServerOut], responses=LIST_ANSWERS)
async def read_servers(
    who: Annotated[Principal, needs(Permission.SERVERS_READ)],
    edge: AtHand,
    *,
    tenant: OfMember = None,
    system: Annotated[Name | None, Query(description="Only servers of this system.")] = None,
    region: Annotated[Name | None, Query(description="Only servers of this region.")] = None,
    host: Annotated[
        Name | None,
        Query(
            description="Only servers that hold room on this host; members, who see no hardware, get none."
        ),
    ] = None,
    status: Annotated[
        ServerStatus | None, Query(description="Only servers that are so at the moment.")
    ] = None,
    zone: Annotated[Zone | None, Query(description="Only servers of this zone.")] = None,
    name: BeginningOfName = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Servers by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)
    if host is not None and not who.sees_hardware:
        return listed(written({"items": [], "next": None}), if_none_match)
    wanted = ServerFilter(
        owner=who.tenant,
        tenant=tenant,
        system=None if system is None else SystemId(system),
        host=None if host is None else HostId(host),
        region=None if region is None else RegionId(region),
        status=status,
        zone=zone,
        name=name,
    )
    show = _server if who.sees_hardware else _server_without_hardware
    now = edge.clock.now()

    def page(tx: Snapshot) -> bytes:
        rows = tx.server_page(wanted, limit + 1, after)
        return page_bytes(rows, limit, lambda row: show(row, now), key=_id)

    return listed(await edge.look(page), if_none_match)


@router.get("/systems", response_model=Page[SystemOut], responses=LIST_ANSWERS)
async def read_systems(
    who: Annotated[Principal, needs(Permission.SYSTEMS_READ)],
    edge: AtHand,
    known: Known,
    *,
    tenant: OfMember = None,
    region: Annotated[Name | None, Query(description="Only systems of this region.")] = None,
    blueprint: Annotated[
        Name | None, Query(description="Only systems made from this blueprint.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Systems by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)

    def show(row: SystemRow) -> Json:
        name_ja, name_en = _names(row, known.catalogue)
        return {
            "id": row.id,
            "tenant": row.tenant,
            "region": row.region,
            "blueprint": row.blueprint,
            "blueprint_version": row.blueprint_version,
            "name_ja": name_ja,
            "name_en": name_en,
            "tier": row.tier,
            "zone": row.zone,
            "servers": row.servers,
            "running": row.running,
            "state": _state(row),
            "created_at": row.created_at,
        }

    def page(tx: Snapshot) -> bytes:
        rows = tx.system_page(
            limit + 1,
            after,
            owner=who.tenant,
            tenant=tenant,
            region=None if region is None else RegionId(region),
            blueprint=blueprint,
        )
        return page_bytes(rows, limit, show, key=_id)

    return listed(await edge.look(page), if_none_match)


@router.get("/members", response_model=Page[MemberOut], responses=LIST_ANSWERS)
async def read_members(
    who: Annotated[Principal, needs(Permission.MEMBERS_READ)],
    edge: AtHand,
    *,
    prefecture: Annotated[
        ShortText | None, Query(description="Only members of this prefecture, as 京都府.")
    ] = None,
    state: Annotated[
        MembershipState | None,
        Query(
            description="Only those in this state. Without it: all but those whose application came to nothing."
        ),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Members and applicants by municipality code, in pages; a member's token sees its own alone."""
    after = behind(cursor)
    states = [each for each in MembershipState if not each.ended] if state is None else [state]

    def page(tx: Snapshot) -> bytes:
        members = tx.membership_page(
            limit + 1, after, owner=who.tenant, prefecture=prefecture, states=states
        )
        return page_bytes(
            members,
            limit,
            lambda member: member_out(member.tenant, member).model_dump(mode="json"),
            key=lambda member: member.tenant.code.text,
        )

    return listed(await edge.look(page), if_none_match)


def _names(row: SystemRow, catalogue: Catalogue) -> tuple[str, str]:
    """A system outlives its blueprint's file; it is then called by the blueprint's id. One of a
    member's own has a name of its own."""
    if row.name:
        return row.name, row.name
    try:
        blueprint = catalogue.blueprint(BlueprintId(row.blueprint), row.blueprint_version)
    except YuiError:
        return row.blueprint, row.blueprint
    return blueprint.name_ja, blueprint.name_en


def _state(row: SystemRow) -> Literal["running", "stopped", "degraded", "building"]:
    if row.servers and row.running == row.servers:
        return "running"
    if row.stopped == row.servers:
        return "stopped"
    return "degraded" if row.running else "building"


def _server_without_hardware(row: ServerRow, now: datetime) -> Json:
    return {**_server(row, now), "host": None, "moving_to": None, "storage": None}


def _server(row: ServerRow, now: datetime) -> Json:
    return {
        "id": row.id,
        "name": row.name,
        "tenant": row.tenant,
        "system": row.system,
        "role": row.role,
        "status": row.status,
        "power": row.power,
        "flavor": row.flavor,
        "size": {"vcpus": row.vcpus, "memory_mib": row.memory_mib},
        "disk_gib": row.disk_gib,
        "image": row.image,
        "zone": row.zone,
        "tier": row.tier,
        "start_order": row.start_order,
        "address": row.address,
        "mac": _mac_of(row.id),
        "host": row.host,
        "moving_to": row.moving_to,
        "storage": row.storage,
        "generation": row.generation,
        # SQLite knows no truth values.
        "protected": bool(row.protected),
        "restart_needed": bool(row.restart_needed),
        "keypair": row.keypair,
        "server_group": row.server_group,
        "unconfirmed_resize": _unconfirmed(row, now),
    }


def _unconfirmed(row: ServerRow, now: datetime) -> Json | None:
    if row.flavor_before is None or row.resize_until is None or row.resize_until <= now:
        return None
    return {"before": row.flavor_before, "until": row.resize_until}


_mac_of = lru_cache(maxsize=100_000)(mac_of)


def _id(row: ServerRow | SystemRow) -> str:
    return row.id

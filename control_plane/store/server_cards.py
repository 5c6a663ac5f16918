"""A member's servers in one region with all that is shown of them at once, in a few statements.

Lists that clients filter and sort by nearly everything read all of one member's servers there; they
are some hundreds at most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Select, and_, bindparam, func, literal, select

from control_plane.model.ids import RegionId, ServerId
from control_plane.model.operation import OperationState
from control_plane.store import tables
from control_plane.store.at_once import PlainRow, rows_at_once
from control_plane.store.keypair_tables import server_keys
from control_plane.store.listing import server_status
from control_plane.store.network_tables import networks, security_groups, server_groups
from control_plane.store.rows import Rows, TenantName, not_found
from control_plane.store.server_group_tables import anti_affinity_groups, unconfirmed_resizes
from control_plane.store.server_note_tables import server_notes
from control_plane.store.volume_tables import volumes

_servers, _sightings = tables.servers.c, tables.sightings.c

_NEWEST = (
    select(func.max(tables.events.c.at))
    .where(tables.events.c.subject == literal("server:") + _servers.id)
    .correlate(tables.servers)
    .scalar_subquery()
)
# Not a subquery of each row's: few operations are under way.
_REBUILT = select(tables.operations.c.subject).where(
    tables.operations.c.state == OperationState.RUNNING.value,
    tables.operations.c.kind == "server.rebuild",
)
_MADE_AT = func.coalesce(
    server_notes.c.made_at, tables.systems.c.created_at, type_=tables.systems.c.created_at.type
)
_CARDS = (
    select(
        _servers.id,
        _servers.name,
        server_status.label("status"),
        _servers.power,
        _sightings.seen,
        (_sightings.booted < _servers.boot_since).label("outdated"),
        _servers.boot_hard,
        _servers.flavor_id,
        _servers.vcpu,
        _servers.memory_mib,
        _servers.disk_gib,
        _servers.image_id,
        _servers.zone,
        _servers.site_id,
        _servers.sites,
        _servers.address,
        _servers.isolated,
        anti_affinity_groups.c.id.label("group"),
        _servers.protected,
        _servers.generation,
        networks.c.id.label("network"),
        networks.c.name.label("network_name"),
        _MADE_AT.label("made_at"),
        _NEWEST.label("changed_at"),
        server_notes.c.made_by,
        server_notes.c.description,
        server_notes.c.labels,
        server_notes.c.tags,
        (literal("server:") + _servers.id).in_(_REBUILT).label("rebuilt"),
        unconfirmed_resizes.c.flavor_id.label("flavor_before"),
        unconfirmed_resizes.c.until.label("resize_until"),
    )
    .join(tables.sightings, _sightings.server_id == _servers.id)
    .join(tables.systems, tables.systems.c.id == _servers.system_id)
    .outerjoin(
        networks,
        and_(
            networks.c.tenant == _servers.tenant,
            networks.c.region_id == _servers.region_id,
            networks.c.zone == _servers.zone,
        ),
    )
    .outerjoin(server_notes, server_notes.c.server_id == _servers.id)
    .outerjoin(anti_affinity_groups, anti_affinity_groups.c.id == _servers.group_id)
    .outerjoin(unconfirmed_resizes, unconfirmed_resizes.c.server_id == _servers.id)
    .where(_servers.tenant == bindparam("tenant"), _servers.region_id == bindparam("region"))
)
_ALL = _CARDS.order_by(_servers.id)
_ONE = _CARDS.where(_servers.id == bindparam("server"))
_COUNT = select(func.count()).where(
    _servers.tenant == bindparam("tenant"), _servers.region_id == bindparam("region")
)
_GROUPS = (
    select(server_groups.c.server_id, security_groups.c.name)
    .join(security_groups, security_groups.c.id == server_groups.c.group_id)
    .where(security_groups.c.tenant == bindparam("tenant"))
    .order_by(server_groups.c.server_id, security_groups.c.name)
)
_VOLUMES = (
    select(volumes.c.server_id, volumes.c.id)
    .where(volumes.c.tenant == bindparam("tenant"), volumes.c.server_id.is_not(None))
    .order_by(volumes.c.server_id, volumes.c.device_order)
)
_KEYS = (
    select(server_keys.c.server_id, server_keys.c.name)
    .join(tables.servers, _servers.id == server_keys.c.server_id)
    .where(_servers.tenant == bindparam("tenant"))
)


class ServerCard(NamedTuple):
    """A server as it stands, and what is written of it. `outdated`: its copy was started before it was
    last asked to be restarted. `group` is one that its member made. `sites` are those that it was bound to, `site` is where its storage is.
    `made_at` is its system's beginning where it has none of its own; `changed_at` is the time of the
    newest event about it. `rebuilt`: a new root disk was asked for and is not known to run yet. Until
    `resize_until` it can have `flavor_before` back."""

    id: str
    name: str
    status: str
    power: str
    seen: str
    outdated: bool
    boot_hard: bool
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: str
    zone: str
    site: str
    sites: tuple[str, ...]
    address: str
    isolated: bool
    group: str | None
    protected: bool
    generation: int
    network: str | None
    network_name: str | None
    made_at: datetime
    changed_at: datetime
    made_by: str | None
    description: str | None
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    rebuilt: bool
    flavor_before: str | None
    resize_until: datetime | None


@dataclass(frozen=True, slots=True)
class Belongings:
    """What else servers have, by their ids: security groups by name, volumes by id in the order of their
    devices, and the name of the key that it was made with. Those that are missing have none of their own."""

    security_groups: Mapping[str, tuple[str, ...]]
    volumes: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, str]


class ServerCardReads(Rows):
    def server_cards(self, tenant: TenantName, region: RegionId) -> list[ServerCard]:
        """By id."""
        rows = rows_at_once(self._connection, _ALL, tenant=str(tenant), region=region)
        return [_card(row) for row in rows]

    def server_card(self, id: ServerId, tenant: TenantName, region: RegionId) -> ServerCard:
        """Another member's, or one of another region, is not found."""
        rows = rows_at_once(self._connection, _ONE, tenant=str(tenant), region=region, server=id)
        if not rows:
            raise not_found("server", id)
        return _card(rows[0])

    def server_count(self, tenant: TenantName, region: RegionId) -> int:
        counted = self._connection.scalar(_COUNT, {"tenant": str(tenant), "region": region})
        return int(counted or 0)

    def belongings(self, tenant: TenantName) -> Belongings:
        """Of all of the member's servers."""
        return Belongings(
            self._by_server(_GROUPS, tenant),
            self._by_server(_VOLUMES, tenant),
            dict(rows_at_once(self._connection, _KEYS, tenant=str(tenant))),
        )

    def _by_server(self, query: Select[Any], tenant: TenantName) -> dict[str, tuple[str, ...]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for server, name in rows_at_once(self._connection, query, tenant=str(tenant)):
            found[server].append(name)
        return {server: tuple(names) for server, names in found.items()}


def _card(row: PlainRow) -> ServerCard:
    values = list(row)
    for truth in (5, 6, 16, 18, 28):
        values[truth] = bool(values[truth])
    values[14] = tuple(orjson.loads(values[14] or "[]"))
    values[22] = made_at = _time(values[22])
    values[23] = made_at if values[23] is None else _time(values[23])
    values[26] = orjson.loads(values[26] or "{}")
    values[27] = tuple(orjson.loads(values[27] or "[]"))
    values[30] = None if values[30] is None else _time(values[30])
    return ServerCard(*values)


def _time(value: str | datetime) -> datetime:
    """SQLite's are texts in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(f"{value}+00:00")

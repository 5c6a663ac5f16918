"""Pages of long lists, read as they are shown: by key, in one statement, and not as model objects.

A list of a hundred servers is the request that clients send most. The database chooses and orders the
page by an index and hands it over as one JSON value, so that the reader's thread gives way to others
once and not at every row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Dialect,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import Function

from control_plane.model.ids import HostId, RegionId, SystemId
from control_plane.model.workload import Power, Seen, ServerStatus
from control_plane.store import tables
from control_plane.store.keypair_tables import server_keys
from control_plane.store.rows import Rows, TenantName
from control_plane.store.server_group_tables import unconfirmed_resizes

_servers, _sightings, _systems = tables.servers.c, tables.sightings.c, tables.systems.c

_PLACED: tuple[tuple[ColumnElement[bool], ServerStatus], ...] = (
    (_sightings.seen == Seen.UNKNOWN.value, ServerStatus.UNKNOWN),
    (_servers.power == Power.SHELVED.value, ServerStatus.SHELVING),
    (
        and_(_sightings.seen == Seen.RUNNING.value, _servers.power == Power.RUNNING.value),
        ServerStatus.ACTIVE,
    ),
    (_sightings.seen == Seen.RUNNING.value, ServerStatus.STOPPING),
    (_servers.power == Power.STOPPED.value, ServerStatus.STOPPED),
)

server_status: ColumnElement[str] = case(
    (_servers.deleting, ServerStatus.DELETING.value),
    (_servers.placement_kind == "stranded", ServerStatus.STRANDED.value),
    (_servers.placement_kind == "moving", ServerStatus.MIGRATING.value),
    (_servers.placement_kind == "shelved", ServerStatus.SHELVED.value),
    *((condition, status.value) for condition, status in _PLACED),
    else_=ServerStatus.BUILDING.value,
)
"""`status_of`, as SQL has it; a test compares the two over everything that a server can be."""

restart_needed: ColumnElement[bool] = and_(
    _sightings.seen == Seen.RUNNING.value, _sightings.booted < _servers.sized_since
)


_ESCAPED = re.compile("[%_/]")
"""What means something else in a pattern of LIKE."""


@dataclass(frozen=True, slots=True)
class ServerFilter:
    """Which servers; what is None filters nothing. `host` finds whatever holds room there. `name` is
    whole, or the beginning of names where it ends with `*`. `owner` is the member whose servers alone
    the reader may see, `tenant` the one that it asks for."""

    owner: TenantName | None = None
    tenant: TenantName | None = None
    system: SystemId | None = None
    host: HostId | None = None
    region: RegionId | None = None
    status: ServerStatus | None = None
    zone: str | None = None
    name: str | None = None

    def values(self) -> dict[str, str]:
        """What there is to choose by, as the database compares it."""
        given = {
            "owner": self.owner,
            "tenant": self.tenant,
            "system": self.system,
            "host": self.host,
            "region": self.region,
            "status": self.status,
            "zone": self.zone,
        }
        values = {name: str(value) for name, value in given.items() if value is not None}
        if self.name is not None and self.name.endswith("*"):
            values["beginning"] = _ESCAPED.sub(r"/\g<0>", self.name[:-1]) + "%"
        elif self.name is not None:
            values["name"] = self.name
        return values


class ServerRow(NamedTuple):
    """A server as lists show it."""

    id: str
    name: str
    tenant: str
    system: str
    role: str
    status: str
    power: str
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: str
    zone: str
    tier: int
    start_order: int
    address: str
    host: str | None
    moving_to: str | None
    storage: str
    generation: int
    protected: bool
    restart_needed: bool
    keypair: str | None
    server_group: str | None
    flavor_before: str | None
    resize_until: datetime | None


class SystemRow(NamedTuple):
    """A system, with how many servers it has, how many of them run and how many are to be stopped."""

    id: str
    tenant: str
    region: str
    blueprint: str
    blueprint_version: int
    tier: int
    zone: str
    created_at: datetime
    servers: int
    running: int
    stopped: int
    name: str


class ListingReads(Rows):
    def server_page(
        self, wanted: ServerFilter, limit: int, after: str | None = None
    ) -> list[ServerRow]:
        """At most `limit` servers by id, beginning behind `after`."""
        values: dict[str, Any] = {**wanted.values(), "limit": limit}
        if after is not None:
            values["after"] = after
        query = _compiled(frozenset(values), self._connection.dialect)
        given = {**query.params, **values}
        page = self._connection.exec_driver_sql(
            str(query),
            given if query.positiontup is None else tuple(given[n] for n in query.positiontup),
        ).scalar()
        return [] if page is None else [_server_row(row) for row in orjson.loads(page)]

    def system_page(
        self,
        limit: int,
        after: str | None = None,
        *,
        owner: TenantName | None = None,
        tenant: TenantName | None = None,
        region: RegionId | None = None,
        blueprint: str | None = None,
    ) -> list[SystemRow]:
        """At most `limit` systems by id, beginning behind `after`."""
        page = select(_systems.id).order_by(_systems.id).limit(limit)
        for column, value in (
            (_systems.tenant, owner),
            (_systems.tenant, tenant),
            (_systems.region_id, region),
            (_systems.blueprint_id, blueprint),
        ):
            if value is not None:
                page = page.where(column == str(value))
        if after is not None:
            page = page.where(_systems.id > after)
        counted = (
            select(
                _servers.system_id,
                func.count().label("servers"),
                func.sum(case((server_status == ServerStatus.ACTIVE.value, 1), else_=0)).label(
                    "running"
                ),
                func.sum(case((_servers.power != Power.RUNNING.value, 1), else_=0)).label(
                    "stopped"
                ),
            )
            .join(tables.sightings, _sightings.server_id == _servers.id)
            .where(_servers.system_id.in_(page))
            .group_by(_servers.system_id)
            .subquery()
        )
        query = (
            select(
                _systems.id,
                _systems.tenant,
                _systems.region_id,
                _systems.blueprint_id,
                _systems.blueprint_version,
                _systems.tier,
                _systems.zone,
                _systems.created_at,
                func.coalesce(counted.c.servers, 0),
                func.coalesce(counted.c.running, 0),
                func.coalesce(counted.c.stopped, 0),
                _systems.name,
            )
            .select_from(tables.systems)
            .outerjoin(counted, counted.c.system_id == _systems.id)
            .where(_systems.id.in_(page))
            .order_by(_systems.id)
        )
        return [
            SystemRow(*row[:7], _time(row[7]), *row[8:])  # type: ignore[call-arg]
            for row in self._arrays(query)
        ]

    def _arrays(self, query: Select[Any]) -> list[list[Any]]:
        """The rows of a query that is ordered by its first column, each as a list."""
        text = self._connection.scalar(_gathered(query, self._connection.dialect))
        rows: list[list[Any]] = [] if text is None else orjson.loads(text)
        return rows


def _gathered(query: Select[Any], dialect: Dialect) -> Select[str]:
    """The query's rows as one text: a JSON array of arrays."""
    page = query.subquery()
    array, gather = (
        (func.json_build_array, func.json_agg)
        if dialect.name == "postgresql"
        else (func.json_array, func.json_group_array)
    )
    whole: Function[Any] = gather(array(*page.c))
    return select(cast(whole, Text)).select_from(page)


@lru_cache(maxsize=512)
def _compiled(named: frozenset[str], dialect: Dialect) -> SQLCompiler:
    """The query for servers with these conditions. To put it together takes longer than to run it."""
    query = (
        select(*_SERVER_COLUMNS)
        .join(tables.sightings, _sightings.server_id == _servers.id)
        .outerjoin(server_keys, server_keys.c.server_id == _servers.id)
        .outerjoin(
            unconfirmed_resizes,
            and_(
                unconfirmed_resizes.c.server_id == _servers.id,
                unconfirmed_resizes.c.flavor_id != _servers.flavor_id,
            ),
        )
        .where(*(_CONDITIONS[name] for name in sorted(named) if name in _CONDITIONS))
        .order_by(_servers.id)
        .limit(bindparam("limit", type_=Integer))
    )
    compiled = _gathered(query, dialect).compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 — as SQLAlchemy's queries are
    return compiled


_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "owner": _servers.tenant == bindparam("owner"),
    "tenant": _servers.tenant == bindparam("tenant"),
    "system": _servers.system_id == bindparam("system"),
    "region": _servers.region_id == bindparam("region"),
    "zone": _servers.zone == bindparam("zone"),
    "host": or_(
        _servers.host_id == bindparam("host"), _servers.target_host_id == bindparam("host")
    ),
    "status": server_status == bindparam("status"),
    "name": _servers.name == bindparam("name"),
    "beginning": _servers.name.like(bindparam("beginning"), escape="/"),
    "after": _servers.id > bindparam("after"),
}


def _server_row(row: list[Any]) -> ServerRow:
    *plain, until = row
    return ServerRow(*plain, None if until is None else _time(until))  # type: ignore[call-arg]


def _time(text: str) -> datetime:
    """SQLite keeps times in UTC and says nothing of it; PostgreSQL names the zone."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


_SERVER_COLUMNS: tuple[ColumnElement[Any], ...] = (
    _servers.id,
    _servers.name,
    _servers.tenant,
    _servers.system_id,
    _servers.role,
    server_status.label("status"),
    _servers.power,
    _servers.flavor_id,
    _servers.vcpu,
    _servers.memory_mib,
    _servers.disk_gib,
    _servers.image_id,
    _servers.zone,
    _servers.tier,
    _servers.start_order,
    _servers.address,
    _servers.host_id,
    _servers.target_host_id,
    _servers.storage_id,
    _servers.generation,
    _servers.protected,
    restart_needed.label("restart_needed"),
    server_keys.c.name.label("keypair"),
    _servers.group_id,
    unconfirmed_resizes.c.flavor_id.label("flavor_before"),
    unconfirmed_resizes.c.until,
)

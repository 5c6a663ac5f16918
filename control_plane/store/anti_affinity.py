"""Members' groups of servers that are kept apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Row

from control_plane.model.ids import GroupId, RegionId, ServerId
from control_plane.model.server_group import ServerGroup
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import tables
from control_plane.store.rows import Rows, TenantName, already_exists, not_found
from control_plane.store.server_group_tables import anti_affinity_groups

_of = anti_affinity_groups.c


class AntiAffinityReads(Rows):
    def server_groups(
        self,
        tenant: TenantName | None = None,
        *,
        also: TenantName | None = None,
        named: str | None = None,
        after: GroupId | None = None,
        limit: int | None = None,
    ) -> tuple[ServerGroup, ...]:
        """By id, beginning behind `after`; of those, of `tenant` and `also`, and of that name, that are
        said."""
        query = select(anti_affinity_groups).order_by(_of.id)
        for owner in (tenant, also):
            if owner is not None:
                query = query.where(_of.tenant == str(owner))
        if named is not None:
            query = query.where(_of.name == named)
        if after is not None:
            query = query.where(_of.id > after)
        if limit is not None:
            query = query.limit(limit)
        return tuple(_group(row) for row in self._connection.execute(query))

    def server_group(self, id: GroupId, tenant: TenantName | None = None) -> ServerGroup:
        """With `tenant`, another member's is not found."""
        row = self._row(anti_affinity_groups, id)
        if row is None or (tenant is not None and row.tenant != str(tenant)):
            raise not_found("server-group", id)
        return _group(row)

    def servers_of_groups(
        self, ids: Collection[GroupId], region: RegionId | None = None
    ) -> dict[GroupId, tuple[ServerId, ...]]:
        """By id; of that region where one is said. Groups without servers are left out."""
        servers = tables.servers.c
        query = select(servers.group_id, servers.id).where(servers.group_id.in_(sorted(ids)))
        if region is not None:
            query = query.where(servers.region_id == region)
        found: defaultdict[GroupId, list[ServerId]] = defaultdict(list)
        for row in self._connection.execute(query.order_by(servers.id)):
            found[GroupId(row.group_id)].append(ServerId(row.id))
        return {group: tuple(members) for group, members in found.items()}


class AntiAffinityWrites(AntiAffinityReads):
    def add_server_group(self, group: ServerGroup) -> ServerGroup:
        """Raises `server-group-exists` where the member has one of that name."""
        if self.server_groups(group.tenant, named=group.name, limit=1):
            raise already_exists("server-group", group.name)
        self._connection.execute(
            insert(anti_affinity_groups).values(
                id=group.id,
                tenant=group.tenant.text,
                name=group.name,
                made_by=group.made_by,
                created_at=group.created_at,
            )
        )
        return group

    def remove_server_group(self, id: GroupId) -> None:
        """Whoever asks has taken its servers out of it."""
        self._connection.execute(delete(anti_affinity_groups).where(_of.id == id))


def _group(row: Row[Any]) -> ServerGroup:
    return ServerGroup(
        GroupId(row.id), MunicipalityCode(row.tenant), row.name, row.made_by, row.created_at
    )

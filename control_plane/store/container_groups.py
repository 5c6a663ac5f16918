"""Container groups as they are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.allotment import Capacity
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.ids import ContainerGroupId, Generation, RegionId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import MiB, VCpu
from control_plane.store.container_tables import container_groups
from control_plane.store.failures import LostRace
from control_plane.store.rows import Rows, TenantName, already_exists, not_found


class ContainerGroupReads(Rows):
    def container_groups(
        self,
        tenant: TenantName | None = None,
        *,
        system: SystemId | None = None,
        named: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[ContainerGroup, ...]:
        """By id."""
        groups = container_groups.c
        query = select(container_groups).order_by(groups.id).limit(limit)
        if tenant is not None:
            query = query.where(groups.tenant == str(tenant))
        if system is not None:
            query = query.where(groups.system_id == system)
        if named is not None:
            query = query.where(groups.name == named)
        if after is not None:
            query = query.where(groups.id > after)
        return tuple(_group(row) for row in self._connection.execute(query))

    def container_group(
        self, id: ContainerGroupId, tenant: TenantName | None = None
    ) -> ContainerGroup:
        """With `tenant`, another member's is not found."""
        query = select(container_groups).where(container_groups.c.id == id)
        if tenant is not None:
            query = query.where(container_groups.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("container-group", id)
        return _group(row)

    def on_record_by(self, tenant: TenantName, region: RegionId) -> Capacity:
        return self.on_record(tenant).get((str(tenant), region), Capacity())

    def on_record(
        self, tenant: TenantName | None = None
    ) -> Mapping[tuple[str, RegionId], Capacity]:
        """What container groups would take, by member and region. They hold nothing of it: it counts
        against the quota, and is no part of `usage`, by which room is kept and lent."""
        asked: defaultdict[tuple[str, RegionId], Capacity] = defaultdict(Capacity)
        for group in self.container_groups(tenant):
            asked[group.tenant.text, group.region] += group.counted
        return asked


class ContainerGroupWrites(ContainerGroupReads):
    def add_container_group(self, group: ContainerGroup) -> ContainerGroup:
        """Raises `container-group-exists` for a name that its member uses already."""
        if self.container_groups(group.tenant, named=group.name):
            raise already_exists("container-group", group.name)
        values = {**_values(group), "generation": 1}
        self._connection.execute(insert(container_groups).values(id=group.id, **values))
        return replace(group, generation=Generation(1))

    def save_container_group(self, group: ContainerGroup) -> ContainerGroup:
        """Write all of it, and answer it with the next generation. Raises LostRace."""
        saved = replace(group, generation=Generation(group.generation + 1))
        same = (
            container_groups.c.id == group.id,
            container_groups.c.generation == group.generation,
        )
        written = self._connection.execute(
            update(container_groups).where(*same).values(_values(saved))
        )
        if not written.rowcount:
            raise LostRace(f"container group {group.id}")
        return saved

    def remove_container_group(self, id: ContainerGroupId) -> None:
        self._connection.execute(delete(container_groups).where(container_groups.c.id == id))


def _values(group: ContainerGroup) -> dict[str, Any]:
    return {
        "tenant": group.tenant.text,
        "system_id": group.system,
        "region_id": group.region,
        "name": group.name,
        "zone": group.zone.value,
        "tier": group.tier,
        "replicas": group.replicas,
        "containers": [
            {
                "name": one.name,
                "image": one.image,
                "vcpus": one.vcpus,
                "memory_mib": one.memory,
                "ports": list(one.ports),
            }
            for one in group.containers
        ],
        "created_at": group.created_at,
        "generation": group.generation,
    }


def _group(row: Row[tuple[object, ...]]) -> ContainerGroup:
    return ContainerGroup(
        ContainerGroupId(row.id),
        MunicipalityCode(row.tenant),
        SystemId(row.system_id),
        RegionId(row.region_id),
        row.name,
        Zone(row.zone),
        row.tier,
        row.replicas,
        tuple(
            Container(
                one["name"],
                one["image"],
                VCpu(one["vcpus"]),
                MiB(one["memory_mib"]),
                tuple(one["ports"]),
            )
            for one in row.containers
        ),
        row.created_at,
        Generation(row.generation),
    )

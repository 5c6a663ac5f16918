"""Members and the business systems that they run."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, RegionId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.store import tables
from control_plane.store.capacity_tables import allotments, holding_refuges, holdings
from control_plane.store.membership_tables import memberships
from control_plane.store.networks import NetworkWrites
from control_plane.store.rows import Rows, TenantName, already_exists, not_found
from control_plane.store.statements import chosen

_SYSTEMS = select(tables.systems).order_by(tables.systems.c.id)
_ADDING_SYSTEM = insert(tables.systems)


class TenancyReads(Rows):
    def tenants(self) -> tuple[Tenant, ...]:
        """By code, which is by prefecture."""
        found = self._connection.execute(select(tables.tenants).order_by(tables.tenants.c.code))
        return tuple(_tenant(row) for row in found)

    def tenant(self, code: TenantName) -> Tenant:
        row = self._row(tables.tenants, code)
        if row is None:
            raise not_found("tenant", code)
        return _tenant(row)

    def find_tenant(self, code: TenantName) -> Tenant | None:
        row = self._row(tables.tenants, code)
        return None if row is None else _tenant(row)

    def systems(
        self, tenant: TenantName | None = None, region: RegionId | None = None
    ) -> tuple[System, ...]:
        """By id."""
        systems = tables.systems.c
        member = None if tenant is None else str(tenant)
        query, values = chosen(_SYSTEMS, {systems.tenant: member, systems.region_id: region})
        return tuple(_system(row) for row in self._connection.execute(query, values))

    def system(self, id: SystemId, tenant: TenantName | None = None) -> System:
        """With `tenant`, another member's system is not found."""
        row = self._row(tables.systems, id)
        if row is None or (tenant is not None and row.tenant != str(tenant)):
            raise not_found("system", id)
        return _system(row)


class TenancyWrites(NetworkWrites, TenancyReads):
    def add_tenant(self, tenant: Tenant) -> None:
        """Raises `tenant-exists`."""
        if self._exists(tables.tenants, tenant.code):
            raise already_exists("tenant", tenant.code)
        self._connection.execute(
            insert(tables.tenants).values(
                code=tenant.code.text,
                name=tenant.name,
                kana=tenant.kana,
                prefecture=tenant.prefecture,
                population=tenant.population,
            )
        )
        self.add_default_group(tenant.code)

    def set_population(self, code: TenantName, population: int) -> None:
        """Raises `tenant-not-found`."""
        self._need("tenant", tables.tenants, code)
        self._connection.execute(
            update(tables.tenants)
            .where(tables.tenants.c.code == str(code))
            .values(population=population)
        )

    def remove_tenant(self, code: TenantName) -> None:
        """With its life. Raises `tenant-in-use` while it has systems."""
        self.end_tenancy(code)
        self._connection.execute(delete(memberships).where(memberships.c.code == str(code)))

    def end_tenancy(self, code: TenantName) -> None:
        """It is no member any more: its guarantee, its quota and the room kept for it are everybody's.
        Its life stays on record. Raises `tenant-in-use` while it has systems."""
        self._need("tenant", tables.tenants, code)
        held = select(tables.systems.c.id).where(tables.systems.c.tenant == str(code)).limit(1)
        if self._first(held) is not None:
            raise YuiError(
                "tenant-in-use",
                en=f"Member {code} still has systems: remove them first.",
                ja=f"参加団体 {code} にはまだシステムがあります。先にシステムを取り除いてください。",
                status=409,
                fields={"tenant": str(code)},
            )
        held = select(holdings.c.id).where(holdings.c.tenant == str(code))
        self._connection.execute(
            delete(holding_refuges).where(holding_refuges.c.holding_id.in_(held))
        )
        for of in (holdings, allotments):
            self._connection.execute(delete(of).where(of.c.tenant == str(code)))
        self.drop_networks(code)
        self._connection.execute(delete(tables.tenants).where(tables.tenants.c.code == str(code)))

    def add_system(self, system: System) -> None:
        """Raises `system-exists`, `tenant-not-found`, `region-not-found`."""
        if self._exists(tables.systems, system.id):
            raise already_exists("system", system.id)
        self._need("tenant", tables.tenants, system.tenant)
        self._need("region", tables.regions, system.region)
        self._connection.execute(
            _ADDING_SYSTEM,
            {
                "id": system.id,
                "tenant": system.tenant.text,
                "region_id": system.region,
                "blueprint_id": system.blueprint,
                "blueprint_version": system.blueprint_version,
                "tier": system.tier,
                "zone": system.zone.value,
                "created_at": system.created_at,
                "name": system.name,
                "deleting": system.deleting,
            },
        )

    def begin_removing_system(self, id: SystemId) -> None:
        """It takes no more servers from now on."""
        self._need("system", tables.systems, id)
        self._connection.execute(
            update(tables.systems).where(tables.systems.c.id == id).values(deleting=True)
        )

    def remove_emptied_system(self, id: SystemId) -> None:
        """Forget it if it was to go and its last server has gone; else nothing."""
        left = select(tables.servers.c.id).where(tables.servers.c.system_id == id)
        self._connection.execute(
            delete(tables.systems).where(
                tables.systems.c.id == id, tables.systems.c.deleting, ~left.exists()
            )
        )

    def remove_system(self, id: SystemId) -> None:
        """Raises `system-in-use` while it has servers."""
        self._need("system", tables.systems, id)
        held = select(tables.servers.c.id).where(tables.servers.c.system_id == id).limit(1)
        if self._first(held) is not None:
            raise YuiError(
                "system-in-use",
                en=f"System '{id}' still has servers: remove them first.",
                ja=f"システム「{id}」にはまだサーバーがあります。先にサーバーを取り除いてください。",
                status=409,
                fields={"system": id},
            )
        self._connection.execute(delete(tables.systems).where(tables.systems.c.id == id))


def _tenant(row: Row[tuple[object, ...]]) -> Tenant:
    return Tenant(MunicipalityCode(row.code), row.name, row.kana, row.prefecture, row.population)


def _system(row: Row[tuple[object, ...]]) -> System:
    return System(
        SystemId(row.id),
        MunicipalityCode(row.tenant),
        RegionId(row.region_id),
        BlueprintId(row.blueprint_id),
        row.blueprint_version,
        row.tier,
        Zone(row.zone),
        row.created_at,
        row.name,
        row.deleting,
    )

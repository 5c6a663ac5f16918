"""What members have of a region, and what they use of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.ids import Generation, RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.store import tables
from control_plane.store.capacity_tables import allotments, holdings
from control_plane.store.failures import LostRace
from control_plane.store.rows import TenantName
from control_plane.store.statements import chosen
from control_plane.store.volumes import VolumeReads

_servers = tables.servers.c
_IN_ORDER = select(allotments).order_by(allotments.c.tenant, allotments.c.region_id)
_shelved = _servers.placement_kind == "shelved"
_TAKEN = select(
    _servers.tenant,
    _servers.region_id,
    func.sum(case((_shelved, 0), else_=_servers.vcpu)),
    func.sum(case((_shelved, 0), else_=_servers.memory_mib)),
    func.sum(_servers.disk_gib),
).group_by(_servers.tenant, _servers.region_id)
_GROWING = select(
    _servers.tenant,
    _servers.region_id,
    holdings.c.vcpu,
    holdings.c.memory_mib,
    holdings.c.disk_gib,
    _servers.vcpu.label("had_vcpu"),
    _servers.memory_mib.label("had_memory_mib"),
).join(tables.servers, _servers.id == holdings.c.grows)


class AllotmentReads(VolumeReads):
    def allotments(
        self, tenant: TenantName | None = None, region: RegionId | None = None
    ) -> tuple[Allotment, ...]:
        """By member, then by region."""
        member = None if tenant is None else str(tenant)
        query, values = chosen(
            _IN_ORDER, {allotments.c.tenant: member, allotments.c.region_id: region}
        )
        return tuple(_allotment(row) for row in self._connection.execute(query, values))

    def allotment(self, tenant: TenantName, region: RegionId) -> Allotment | None:
        """None where nothing was ever set: no guarantee, and no limit."""
        found = self.allotments(tenant, region)
        return found[0] if found else None

    def used_by(self, tenant: TenantName, region: RegionId) -> Capacity:
        return self.usage(tenant).get((str(tenant), region), Capacity())

    def usage(self, tenant: TenantName | None = None) -> Mapping[tuple[str, RegionId], Capacity]:
        """What servers, volumes and snapshots that are not yet removed were asked to be, by member and
        region; each once, wherever it is. Of a shelved server only its disk counts."""
        member = None if tenant is None else str(tenant)
        query, values = chosen(_TAKEN, {_servers.tenant: member})
        used: defaultdict[tuple[str, RegionId], Capacity] = defaultdict(Capacity)
        for code, region, vcpu, memory, disk in self._connection.execute(query, values):
            used[code, RegionId(region)] = Capacity(
                VCpu(int(vcpu)), MiB(int(memory)), GiB(int(disk))
            )
        for key, growth in self._growing(tenant):
            used[key] += growth
        for key, size in self.disk_usage(tenant).items():
            used[key] += Capacity(disk=size)
        return used

    def _growing(
        self, tenant: TenantName | None
    ) -> Iterator[tuple[tuple[str, RegionId], Capacity]]:
        """By how much servers come to be larger that move for it."""
        member = None if tenant is None else str(tenant)
        query, values = chosen(_GROWING, {_servers.tenant: member})
        for row in self._connection.execute(query, values):
            had = Capacity(VCpu(row.had_vcpu), MiB(row.had_memory_mib))
            room = Capacity(VCpu(row.vcpu), MiB(row.memory_mib), GiB(row.disk_gib))
            yield (row.tenant, RegionId(row.region_id)), room.beyond(had)


class AllotmentWrites(AllotmentReads):
    def put_allotment(self, allotment: Allotment) -> Allotment:
        """Set both numbers, guarded by the generation where there were some; answers it with the next
        one. Raises LostRace, `tenant-not-found`, `region-not-found`."""
        self._need("tenant", tables.tenants, allotment.tenant)
        self._need("region", tables.regions, allotment.region)
        where = (
            allotments.c.tenant == allotment.tenant.text,
            allotments.c.region_id == allotment.region,
        )
        standing = self._first(select(allotments.c.generation).where(*where))
        if standing is None:
            self._connection.execute(
                insert(allotments).values(
                    tenant=allotment.tenant.text,
                    region_id=allotment.region,
                    generation=1,
                    **_values(allotment),
                )
            )
        else:
            written = self._connection.execute(
                update(allotments)
                .where(*where, allotments.c.generation == allotment.generation)
                .values(
                    generation=allotment.generation + 1,
                    claims=allotments.c.claims + 1,
                    **_values(allotment),
                )
            )
            if written.rowcount == 0:
                raise LostRace(f"allotment of {allotment.tenant}")
        (saved,) = self.allotments(allotment.tenant, allotment.region)
        return saved

    def claim_allotment(self, tenant: TenantName, region: RegionId) -> Allotment | None:
        """The allotment, and from now on nobody else may add to what its member uses: whoever is doing
        so at the same time loses the race, or waits."""
        self._connection.execute(
            update(allotments)
            .where(allotments.c.tenant == str(tenant), allotments.c.region_id == region)
            .values(claims=allotments.c.claims + 1)
        )
        return self.allotment(tenant, region)


def _values(allotment: Allotment) -> dict[str, int]:
    return {
        "guaranteed_vcpu": allotment.guaranteed.vcpu,
        "guaranteed_memory_mib": allotment.guaranteed.memory,
        "guaranteed_disk_gib": allotment.guaranteed.disk,
        "quota_vcpu": allotment.quota.vcpu,
        "quota_memory_mib": allotment.quota.memory,
        "quota_disk_gib": allotment.quota.disk,
    }


def _allotment(row: Row[Any]) -> Allotment:
    return Allotment(
        MunicipalityCode(row.tenant),
        RegionId(row.region_id),
        Capacity(
            VCpu(row.guaranteed_vcpu),
            MiB(row.guaranteed_memory_mib),
            GiB(row.guaranteed_disk_gib),
        ),
        Capacity(VCpu(row.quota_vcpu), MiB(row.quota_memory_mib), GiB(row.quota_disk_gib)),
        Generation(row.generation),
    )

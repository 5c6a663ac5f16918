"""The ledger of one region, read in one snapshot with only the columns that placement needs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import bindparam, select

from control_plane.model.ids import (
    Generation,
    GroupId,
    HostId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
)
from control_plane.model.ledger import (
    Certificate,
    Ledger,
    LedgerHost,
    LedgerStoragePool,
    LedgerWorkload,
)
from control_plane.model.pool import DomainKind, Duty, FailureDomain, Zone
from control_plane.model.units import NOTHING, GiB, MiB, Resources, VCpu
from control_plane.store import tables
from control_plane.store.allotments import AllotmentReads
from control_plane.store.at_once import PlainRow, named, rows_at_once
from control_plane.store.certificate import CertificateReads
from control_plane.store.holdings import HoldingReads
from control_plane.store.regions import RegionReads
from control_plane.store.values import is_silent, standing_of

_NO_NAMES: frozenset[str] = frozenset()
_NO_SITES: frozenset[SiteId] = frozenset()

# Made once: a ledger is read at each decision.
_hosts, _servers, _pools = tables.hosts.c, tables.servers.c, tables.storage_pools.c
_HOSTS = (
    select(
        _hosts.id,
        _hosts.site_id,
        _hosts.vcpu,
        _hosts.memory_mib,
        _hosts.zones,
        _hosts.storage,
        _hosts.traits,
        _hosts.domains,
        _hosts.health_kind,
        _hosts.duty,
        _hosts.generation,
    )
    .where(_hosts.region_id == bindparam("region"))
    .order_by(_hosts.id)
)
_WORKLOADS = (
    select(
        _servers.id,
        _servers.tenant,
        _servers.placement_kind,
        _servers.vcpu,
        _servers.memory_mib,
        _servers.disk_gib,
        _servers.zone,
        _servers.tier,
        _servers.storage_id,
        _servers.host_id,
        _servers.target_host_id,
        _servers.group_id,
        _servers.traits,
        _servers.sites,
    )
    .where(_servers.region_id == bindparam("region"))
    .order_by(_servers.id)
)
_POOLS = (
    select(_pools.id, _pools.capacity_gib)
    .join(tables.sites, tables.sites.c.id == _pools.site_id)
    .where(tables.sites.c.region_id == bindparam("region"))
    .order_by(_pools.id)
)


class LedgerReads(AllotmentReads, HoldingReads, RegionReads, CertificateReads):
    def ledger(self, region: RegionId) -> Ledger:
        """Every host and every server of the region that is not yet removed, also the stopped and
        the deleting ones; and what is guaranteed, with the room that is held for it. Raises `region-not-found`."""
        described = self.region(region)
        workloads = _with_growths(self._workloads(region), self.holdings(region))
        disks = self.disks_on_pools(region)
        storage = self._storage(region, workloads.values(), disks)
        owned: defaultdict[str, int] = defaultdict(int)
        for (_, owner), size in disks.items():
            owned[owner] += size
        return Ledger(
            region=region,
            policy=described.policy,
            promised=described.promised,
            hosts=self._ledger_hosts(region, frozenset(storage)),
            workloads=workloads,
            storage=storage,
            certificate=Certificate(self.refuges(region)),
            guaranteed={one.tenant.text: one.guaranteed for one in self.allotments(region=region)},
            disks={owner: GiB(size) for owner, size in owned.items()},
        )

    def _ledger_hosts(
        self, region: RegionId, pools: frozenset[StoragePoolId]
    ) -> dict[HostId, LedgerHost]:
        def host(plain: PlainRow) -> LedgerHost:
            row = named(_HOSTS, plain)
            return LedgerHost(
                id=HostId(row.id),
                site=SiteId(row.site_id),
                capacity=Resources(VCpu(row.vcpu), MiB(row.memory_mib)),
                zones=frozenset(Zone(zone) for zone in row.zones),
                storage=pools.intersection(row.storage),
                traits=frozenset(row.traits),
                domains=_domains(row.domains, host=row.id, site=row.site_id),
                standing=standing_of(row.health_kind, Duty(row.duty)),
                generation=Generation(row.generation),
                silent=is_silent(row.health_kind),
            )

        # Which pools there are decides what a row means, too.
        kind = f"ledger's hosts {region} {sorted(pools)}"
        rows = rows_at_once(self._connection, _HOSTS, region=region)
        return {host.id: host for host in self._meanings.of(kind, rows, host)}

    def _workloads(self, region: RegionId) -> dict[ServerId, LedgerWorkload]:
        rows = rows_at_once(self._connection, _WORKLOADS, region=region)
        found = self._meanings.of(f"ledger's workloads {region}", rows, _workload)
        return {workload.id: workload for workload in found}

    def _storage(
        self,
        region: RegionId,
        workloads: Iterable[LedgerWorkload],
        disks: Mapping[tuple[StoragePoolId, str], GiB],
    ) -> dict[StoragePoolId, LedgerStoragePool]:
        used: dict[StoragePoolId | None, int] = defaultdict(int)
        for workload in workloads:
            used[workload.storage] += workload.disk
        for (pool, _), size in disks.items():
            used[pool] += size
        found = self._connection.execute(_POOLS, {"region": region})
        return {
            row.id: LedgerStoragePool(
                StoragePoolId(row.id), GiB(row.capacity_gib), GiB(used[row.id])
            )
            for row in found
        }


def _workload(row: PlainRow) -> LedgerWorkload:
    # Unpacked by position: by name, two thousand rows take twice the time.
    (
        id,
        tenant,
        kind,
        vcpu,
        memory,
        disk,
        zone,
        tier,
        pool,
        host,
        target,
        group,
        traits,
        sites,
    ) = row
    return LedgerWorkload(
        id=ServerId(id),
        owner=tenant,
        size=NOTHING if kind == "shelved" else Resources(VCpu(vcpu), MiB(memory)),
        disk=GiB(disk),
        zone=Zone(zone),
        tier=tier,
        storage=StoragePoolId(pool),
        hosts=tuple(HostId(held) for held in (host, target) if held is not None),
        group=None if group is None else GroupId(group),
        traits=frozenset(json.loads(traits)) if traits else _NO_NAMES,
        sites=frozenset(map(SiteId, json.loads(sites))) if sites else _NO_SITES,
    )


def _with_growths(
    servers: Mapping[ServerId, LedgerWorkload], held: Mapping[ServerId, LedgerWorkload]
) -> dict[ServerId, LedgerWorkload]:
    """A server that moves to be resized holds its source; where it goes, its growth holds the room, by
    the same rules."""
    workloads = dict(servers)
    for name, room in held.items():
        server = None if room.grows is None else servers.get(room.grows)
        if server is None:
            workloads[name] = room
            continue
        workloads[server.id] = replace(server, hosts=server.hosts[:1])
        workloads[name] = replace(
            server,
            id=name,
            size=room.size,
            disk=room.disk,
            hosts=room.hosts,
            grows=server.id,
        )
    return workloads


def _domains(
    described: Sequence[Sequence[str]], *, host: str, site: str
) -> frozenset[FailureDomain]:
    """With those that every host belongs to: itself, and its site."""
    always = {FailureDomain(DomainKind.HOST, host), FailureDomain(DomainKind.SITE, site)}
    return frozenset(always | {FailureDomain(DomainKind(kind), name) for kind, name in described})

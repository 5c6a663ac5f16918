"""Holdings: the room that is kept for guarantees, with its refuges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal, select, update

from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, RegionId, ServerId, StoragePoolId
from control_plane.model.ledger import LedgerWorkload
from control_plane.model.pool import Zone
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Placed, Server
from control_plane.placement.holdings import HOLDING_TIER
from control_plane.store import tables
from control_plane.store.allotments import AllotmentWrites
from control_plane.store.capacity_tables import holding_refuges, holdings
from control_plane.store.failures import LostRace
from control_plane.store.hosts import HostWrites
from control_plane.store.regions import RegionWrites
from control_plane.store.rows import Rows

_AT_ONCE = 500

_STANDING = (
    select(holdings)
    .join(tables.hosts, tables.hosts.c.id == holdings.c.host_id)
    .where(
        holdings.c.region_id == bindparam("region"),
        tables.hosts.c.region_id == bindparam("region"),
    )
    .order_by(holdings.c.id)
)


def is_holding(id: ServerId) -> bool:
    """The names of holdings hold a colon, which no server's does."""
    return ":" in id


class HoldingReads(Rows):
    def holdings(self, region: RegionId) -> dict[ServerId, LedgerWorkload]:
        """Those on hosts that the region has. One whose host was taken out of the pool holds nothing."""
        found = self._connection.execute(_STANDING, {"region": region})
        return {
            ServerId(row.id): LedgerWorkload(
                id=ServerId(row.id),
                owner=row.tenant,
                size=Resources(VCpu(row.vcpu), MiB(row.memory_mib)),
                disk=GiB(row.disk_gib),
                zone=Zone(row.zone),
                tier=HOLDING_TIER,
                storage=StoragePoolId(row.storage_id),
                hosts=(HostId(row.host_id),),
                holding=row.grows is None,
                grows=None if row.grows is None else ServerId(row.grows),
            )
            for row in found
        }


class HoldingWrites(AllotmentWrites, HoldingReads, RegionWrites, HostWrites):
    def set_holdings(
        self, region: RegionId, changes: Mapping[ServerId, LedgerWorkload | None]
    ) -> None:
        """Write the changes; those given up lose their refuges. Raises the generation of every host
        that one comes to stand on, and of storage that is kept. Raises LostRace where one that is
        given up is no longer there."""
        for pool in sorted(
            {h.storage for h in changes.values() if h is not None and h.storage and h.disk}
        ):
            self._mark_storage(pool)
        self._mark_hosts(
            host for holding in changes.values() if holding is not None for host in holding.hosts
        )
        standing = self._known(changes)
        gone = [id for id, holding in changes.items() if holding is None]
        self.drop_holdings(gone)
        if missing := set(gone) - standing:
            raise LostRace(f"holding {min(missing)}")
        new = [_row(region, h) for h in changes.values() if h is not None and h.id not in standing]
        if new:
            self._connection.execute(insert(holdings), new)
        changed = [
            {**_row(region, h), "of": h.id}
            for h in changes.values()
            if h is not None and h.id in standing
        ]
        if changed:
            names = ("vcpu", "memory_mib", "disk_gib", "zone", "storage_id", "host_id")
            self._connection.execute(
                update(holdings)
                .where(holdings.c.id == bindparam("of"))
                .values({name: bindparam(f"new_{name}") for name in names}),
                [
                    {"of": row["of"], **{f"new_{name}": row[name] for name in names}}
                    for row in changed
                ],
            )

    def drop_holdings(self, ids: Iterable[ServerId]) -> None:
        """Forget them with their refuges; whose guarantee is then short is read off the ledger."""
        names = sorted(ids)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            self._connection.execute(
                delete(holding_refuges).where(holding_refuges.c.holding_id.in_(some))
            )
            self._connection.execute(delete(holdings).where(holdings.c.id.in_(some)))

    def leave_holding(self, server: Server, region: RegionId, left: Capacity) -> None:
        """The server is about to take no more than `left` of what it takes: as far as its member is
        guaranteed the rest, a holding stays where it is, with its refuges. So nobody else gets in
        between. A server that holds no host leaves none; the next certification sees to it."""
        allotment = self.claim_allotment(server.tenant, region)
        if allotment is None or not isinstance(server.placement, Placed):
            return
        used = self.used_by(server.tenant, region)
        freed = Capacity.of(server.size, server.disk).beyond(left)
        after = used.beyond(freed)
        due = allotment.unused(after).beyond(allotment.unused(used))
        if not due:
            return
        id = ServerId(f"{server.id}:{server.generation}")
        self._connection.execute(
            insert(holdings).values(
                id=id,
                region_id=region,
                tenant=server.tenant.text,
                vcpu=due.vcpu,
                memory_mib=due.memory,
                disk_gib=due.disk,
                zone=server.zone.value,
                storage_id=server.storage,
                host_id=server.placement.host,
            )
        )
        refuges = tables.refuges
        kept = select(
            literal(id),
            refuges.c.domain_kind,
            refuges.c.domain_name,
            refuges.c.region_id,
            refuges.c.host_id,
        ).where(refuges.c.server_id == server.id)
        self._connection.execute(
            insert(holding_refuges).from_select(
                ["holding_id", "domain_kind", "domain_name", "region_id", "host_id"], kept
            )
        )

    def _known(self, ids: Iterable[ServerId]) -> set[ServerId]:
        names = sorted(ids)
        known: set[ServerId] = set()
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            known.update(
                ServerId(id)
                for id in self._connection.scalars(
                    select(holdings.c.id).where(holdings.c.id.in_(some)).with_for_update()
                )
            )
        return known


def _row(region: RegionId, holding: LedgerWorkload) -> dict[str, Any]:
    (host,) = holding.hosts
    return {
        "id": holding.id,
        "region_id": region,
        "tenant": holding.owner,
        "vcpu": holding.size.vcpu,
        "memory_mib": holding.size.memory,
        "disk_gib": holding.disk,
        "zone": holding.zone.value,
        "storage_id": holding.storage,
        "host_id": host,
    }

"""Room that is kept for servers where they move to be resized, until they have come or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import delete, insert, literal, select

from control_plane.model.ids import FlavorId, Generation, HostId, RegionId, ServerId
from control_plane.model.ledger import LedgerWorkload
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Placed, Placement, Server
from control_plane.store import tables
from control_plane.store.capacity_tables import holding_refuges, holdings
from control_plane.store.rows import Rows
from control_plane.store.servers import ServerWrites


class GrowthReads(Rows):
    def growing(self, server: ServerId) -> FlavorId | None:
        """The flavor that the server moves for."""
        row = self._first(select(holdings.c.flavor_id).where(holdings.c.grows == server))
        return None if row is None else FlavorId(row.flavor_id)


class GrowthWrites(ServerWrites, GrowthReads):
    def add_growth(
        self, region: RegionId, room: LedgerWorkload, flavor: FlavorId, host: HostId
    ) -> None:
        """Keep `room` on the host that its server is about to move to. Its refuges are set by
        `set_refuges`."""
        self._mark_hosts([host])
        if room.storage is not None and room.disk:
            self._mark_storage(room.storage)
        self._connection.execute(
            insert(holdings).values(
                id=room.id,
                region_id=region,
                tenant=room.owner,
                vcpu=room.size.vcpu,
                memory_mib=room.size.memory,
                disk_gib=room.disk,
                zone=room.zone.value,
                storage_id=room.storage,
                host_id=host,
                grows=room.grows,
                flavor_id=flavor,
            )
        )

    def end_move(self, server: Server, placement: Placement) -> Server:
        """Save it where its move has ended. One that moved to be resized has its new size and the room's
        refuges where it arrived, and is as before where it did not."""
        row = self._first(
            select(holdings, tables.flavors.c.vcpu.label("to_vcpu"),
                   tables.flavors.c.memory_mib.label("to_memory_mib"))
            .join(tables.flavors, tables.flavors.c.id == holdings.c.flavor_id)
            .where(holdings.c.grows == server.id)
        )  # fmt: skip
        ended = replace(server, placement=placement)
        if row is None:
            return self.save_server(ended)
        size = Resources(VCpu(row.to_vcpu), MiB(row.to_memory_mib))
        room = Resources(VCpu(row.vcpu), MiB(row.memory_mib))
        arrived = placement == Placed(HostId(row.host_id)) and size.fits_in(room)
        if arrived:
            self._take_over_refuges(server.id, ServerId(row.id))
            ended = replace(
                ended,
                flavor=FlavorId(row.flavor_id),
                size=size,
                disk=GiB(server.disk + row.disk_gib),
                sized_since=Generation(server.generation + 1),
            )
        self.drop_growths([server.id])
        return self.save_server(ended)

    def drop_growths(self, servers: Collection[ServerId]) -> None:
        """Whatever moved to be resized, stays as it is."""
        for server in sorted(servers):
            row = self._first(select(holdings.c.id).where(holdings.c.grows == server))
            if row is not None:
                self.drop_holdings([ServerId(row.id)])

    def _take_over_refuges(self, server: ServerId, room: ServerId) -> None:
        refuges = tables.refuges
        self._connection.execute(delete(refuges).where(refuges.c.server_id == server))
        kept = select(
            literal(server),
            holding_refuges.c.domain_kind,
            holding_refuges.c.domain_name,
            holding_refuges.c.region_id,
            holding_refuges.c.host_id,
        ).where(holding_refuges.c.holding_id == room)
        self._connection.execute(
            insert(refuges).from_select(
                ["server_id", "domain_kind", "domain_name", "region_id", "host_id"], kept
            )
        )

"""Servers: what was asked for and where it is placed, guarded by a generation each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Row

from control_plane.model.allotment import Capacity
from control_plane.model.backing import Backing
from control_plane.model.ids import (
    FlavorId,
    Generation,
    GroupId,
    HostId,
    ImageId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Power, Seen, Server, Shelved, Sighting
from control_plane.store import tables
from control_plane.store.at_once import named, rows_at_once
from control_plane.store.failures import LostRace
from control_plane.store.holdings import HoldingWrites
from control_plane.store.hosts import HostWrites
from control_plane.store.networks import NetworkWrites
from control_plane.store.placements import hosts_of, placement_of, placement_values
from control_plane.store.regions import RegionWrites
from control_plane.store.rows import Rows, TenantName, already_exists, not_found
from control_plane.store.statements import chosen
from control_plane.store.values import names_to_json
from control_plane.store.volumes import VolumeWrites

_ALL = select(
    tables.servers,
    tables.sightings.c.seen,
    tables.sightings.c.generation.label("copy_generation"),
    tables.sightings.c.booted,
).join(tables.sightings, tables.sightings.c.server_id == tables.servers.c.id)

_BY_ID = _ALL.order_by(tables.servers.c.id)
_IDS = select(tables.servers.c.id)
_REGION = select(tables.servers.c.region_id).where(tables.servers.c.id == bindparam("of"))
_AMONG = tables.servers.c.id.in_(bindparam("among", expanding=True))
_ALL_AMONG = _ALL.where(_AMONG)
_DELETED = select(tables.deleted_servers.c.id, tables.deleted_servers.c.generation)
_DELETED_AMONG = _DELETED.where(tables.deleted_servers.c.id.in_(bindparam("among", expanding=True)))
_USER_DATA_AMONG = select(
    tables.server_user_data.c.server_id, tables.server_user_data.c.text
).where(tables.server_user_data.c.server_id.in_(bindparam("among", expanding=True)))
_SYSTEM = select(tables.systems.c.region_id, tables.systems.c.tenant).where(
    tables.systems.c.id == bindparam("of")
)
_ADDING = insert(tables.servers)
_SEEING = insert(tables.sightings)
_SAVING = update(tables.servers).where(
    tables.servers.c.id == bindparam("saved"), tables.servers.c.generation == bindparam("was")
)
_SEEN = (
    update(tables.sightings)
    .where(tables.sightings.c.server_id == bindparam("seen_of"))
    .values(seen=bindparam("now_seen"))
)
_SIGHTED = (
    update(tables.sightings)
    .where(tables.sightings.c.server_id == bindparam("of"))
    .values(
        seen=bindparam("now_seen"),
        generation=bindparam("now_generation"),
        booted=bindparam("now_booted"),
    )
)

_AT_ONCE = 500


class ServerReads(Rows):
    def servers(
        self,
        tenant: TenantName | None = None,
        system: SystemId | None = None,
        host: HostId | None = None,
        region: RegionId | None = None,
        *,
        after: ServerId | None = None,
        limit: int | None = None,
    ) -> tuple[Server, ...]:
        """By id, beginning behind `after`. `host` finds every server that holds room there, so a
        migrating one under its source and its target."""
        servers = tables.servers.c
        if (tenant, system, host, region, after, limit) == (None,) * 6:
            return self._every_server()
        query, values = chosen(
            _BY_ID,
            {
                servers.tenant: None if tenant is None else str(tenant),
                servers.system_id: system,
                servers.region_id: region,
            },
            behind=(servers.id, after),
            most=limit,
        )
        if host is not None:
            query = query.where(or_(servers.host_id == host, servers.target_host_id == host))
        return self._servers(query, values)

    def server(self, id: ServerId, tenant: TenantName | None = None) -> Server:
        """With `tenant`, another member's server is not found."""
        servers = tables.servers.c
        member = None if tenant is None else str(tenant)
        found = self._servers(*chosen(_ALL, {servers.id: id, servers.tenant: member}))
        if not found:
            raise not_found("server", id)
        return found[0]

    def region_of(self, server: ServerId) -> RegionId:
        row = self._first(_REGION, of=server)
        if row is None:
            raise not_found("server", server)
        return RegionId(row.region_id)

    def server_ids(self) -> tuple[ServerId, ...]:
        """Of all members, in no order."""
        found = rows_at_once(self._connection, _IDS)
        return tuple(ServerId(id) for (id,) in found)

    def server_names_taken(self, tenant: TenantName, names: Collection[str]) -> set[str]:
        """Those of `names` that servers of the member have."""
        servers = tables.servers
        found: set[str] = set()
        wanted = sorted(names)
        for at in range(0, len(wanted), _AT_ONCE):
            query = select(servers.c.name).where(
                servers.c.tenant == str(tenant), servers.c.name.in_(wanted[at : at + _AT_ONCE])
            )
            found.update(self._connection.scalars(query))
        return found

    def servers_among(self, ids: Collection[ServerId]) -> dict[ServerId, Server]:
        """Those of `ids` that are there still."""
        found: dict[ServerId, Server] = {}
        wanted = sorted(ids)
        # A statement takes only so many values.
        for at in range(0, len(wanted), _AT_ONCE):
            some = self._servers(_ALL_AMONG, {"among": wanted[at : at + _AT_ONCE]})
            found.update((server.id, server) for server in some)
        return found

    def user_data_of(self, ids: Collection[ServerId]) -> dict[ServerId, str]:
        """Of those that were given any."""
        found: dict[ServerId, str] = {}
        wanted = sorted(ids)
        for at in range(0, len(wanted), _AT_ONCE):
            some = {"among": wanted[at : at + _AT_ONCE]}
            rows = self._connection.execute(_USER_DATA_AMONG, some)
            found.update((ServerId(row.server_id), row.text) for row in rows)
        return found

    def deleted_servers(
        self, among: Collection[ServerId] | None = None
    ) -> dict[ServerId, Generation]:
        """The last generation of servers that were removed; with `among`, of these only."""
        if among is None:
            rows = self._connection.execute(_DELETED)
        else:
            rows = self._connection.execute(_DELETED_AMONG, {"among": sorted(among)})
        return {ServerId(row.id): Generation(row.generation) for row in rows}

    def _every_server(self) -> tuple[Server, ...]:
        codes: dict[str, MunicipalityCode] = {}
        rows = rows_at_once(self._connection, _BY_ID)
        return tuple(
            self._meanings.of("servers", rows, lambda row: _server(named(_BY_ID, row), codes))
        )

    def _servers(self, query: Select[Any], values: Mapping[str, object]) -> tuple[Server, ...]:
        codes: dict[str, MunicipalityCode] = {}
        return tuple(_server(row, codes) for row in self._connection.execute(query, values))


class ServerWrites(
    VolumeWrites, NetworkWrites, HoldingWrites, RegionWrites, HostWrites, ServerReads
):
    def add_server(self, server: Server) -> Server:
        """Add it where it is placed; raises the generations of its hosts and its storage pool.

        Raises `server-exists`, `system-not-found`, `flavor-not-found`, `image-not-found`,
        `host-not-found`, `storage-pool-not-found`; LostRace when another server of its site has
        its address.
        """
        # The id of a deleted server is not given to another one: a host may still have the old one.
        if self._exists(tables.servers, server.id) or self.deleted_servers({server.id}):
            raise already_exists("server", server.id)
        system = self._first(_SYSTEM, of=server.system)
        if system is None or system.tenant != server.tenant.text:
            raise not_found("system", server.system)
        self._need("flavor", tables.flavors, server.flavor)
        self._hold("image", tables.images, server.image)
        self._mark_storage(server.storage)
        self._mark_hosts(hosts_of(server.placement))
        self._connection.execute(
            _ADDING,
            {
                "id": server.id,
                "region_id": system.region_id,
                "site_id": self.site_of_storage(server.storage),
                "tenant": server.tenant.text,
                "system_id": server.system,
                **_values(server),
            },
        )
        self._connection.execute(
            _SEEING,
            {
                "server_id": server.id,
                "seen": server.seen.value,
                "generation": server.copy_generation,
                "booted": server.booted,
            },
        )
        return server

    def put_user_data(self, server: ServerId, text: str) -> None:
        """What its seed disk gives the guest; given once, with the server."""
        self._connection.execute(
            insert(tables.server_user_data).values(server_id=server, text=text)
        )

    def save_server(self, server: Server) -> Server:
        """Write all of `server` and answer it with the next generation. Hosts that come to hold
        more of it have theirs raised. Raises LostRace when it has moved on since it was read."""
        one, of = chosen(_ALL, {tables.servers.c.id: server.id})
        standing = self._first(one, **of)
        if standing is None:
            raise not_found("server", server.id)
        if standing.generation != server.generation:
            raise LostRace(f"server {server.id}")
        self._mark_growth(_server(standing, {}), server)
        saved = replace(server, generation=Generation(server.generation + 1))
        written = self._connection.execute(
            _SAVING, {"saved": server.id, "was": server.generation, **_values(saved)}
        )
        if written.rowcount == 0:
            raise LostRace(f"server {server.id}")
        if standing.seen != server.seen.value:
            self.set_seen(server.id, server.seen)
        return saved

    def set_seen(self, id: ServerId, seen: Seen) -> None:
        """What a driver last reported; changes no generation."""
        written = self._connection.execute(_SEEN, {"seen_of": id, "now_seen": seen.value})
        if written.rowcount == 0:
            raise not_found("server", id)

    def set_seen_of(self, seen: Mapping[ServerId, Seen]) -> None:
        """`set_seen` for many at once; servers that are gone are passed over."""
        if seen:
            self._connection.execute(
                _SEEN,
                [{"seen_of": id, "now_seen": sight.value} for id, sight in sorted(seen.items())],
            )

    def note_sightings(self, sightings: Mapping[ServerId, Sighting]) -> None:
        """What drivers last reported of many at once; changes no generation, and passes over servers
        that are gone."""
        if sightings:
            self._connection.execute(
                _SIGHTED,
                [
                    {
                        "of": id,
                        "now_seen": sight.seen.value,
                        "now_generation": sight.generation,
                        "now_booted": sight.booted,
                    }
                    for id, sight in sorted(sightings.items())
                ],
            )

    def remove_server(self, id: ServerId) -> None:
        """Forget it together with its refuges; its address, its room and its volumes are free. That there was such
        a server, and its generation, is remembered for good (`deleted_servers`)."""
        server = self.server(id)
        self.leave_holding(server, self.region_of(id), Capacity())
        generation = server.generation
        self.release_volumes_of(id)
        self._connection.execute(
            insert(tables.deleted_servers).values(id=id, generation=generation)
        )
        for table in (tables.refuges, tables.sightings, tables.server_user_data):
            self._connection.execute(delete(table).where(table.c.server_id == id))
        site = self.site_of_storage(server.storage)
        self.leave_network(id, server.tenant.text, site, server.address)
        self._connection.execute(delete(tables.servers).where(tables.servers.c.id == id))

    def put_away(self, server: Server, placement: Shelved) -> Server:
        """Save it as shelved: its room is free from now on, and its refuges are nobody's. As far as its
        member is guaranteed that room, a holding stays."""
        self.leave_holding(server, self.region_of(server.id), Capacity(disk=server.disk))
        self._connection.execute(
            delete(tables.refuges).where(tables.refuges.c.server_id == server.id)
        )
        return self.save_server(replace(server, placement=placement, seen=Seen.NOWHERE))

    def _mark_growth(self, before: Server, after: Server) -> None:
        held_before = set(hosts_of(before.placement))
        held = set(hosts_of(after.placement))
        self._mark_hosts(held - held_before)
        if not after.size.fits_in(before.size):
            refuges = self._connection.scalars(
                select(tables.refuges.c.host_id).where(tables.refuges.c.server_id == after.id)
            )
            self._mark_hosts(held | {HostId(host) for host in refuges})
        if after.storage != before.storage or after.disk > before.disk:
            self._mark_storage(after.storage)


def _values(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "role": server.role,
        "flavor_id": server.flavor,
        "vcpu": server.size.vcpu,
        "memory_mib": server.size.memory,
        "disk_gib": server.disk,
        "image_id": server.image,
        "zone": server.zone.value,
        "tier": server.tier,
        "start_order": server.start_order,
        "storage_id": server.storage,
        "address": server.address,
        **placement_values(server.placement),
        "power": server.power.value,
        "deleting": server.deleting,
        "group_id": server.group,
        "traits": names_to_json(server.traits) or None,
        "sites": names_to_json(server.sites) or None,
        "generation": server.generation,
        "protected": server.protected,
        "isolated": server.isolated,
        "boot_since": server.boot_since,
        "boot_hard": server.boot_hard,
        "disk_build": server.disk_build,
        "backing": None if server.backing is None else server.backing.text,
        "sized_since": server.sized_since,
    }


def _server(row: Row[Any], codes: dict[str, MunicipalityCode]) -> Server:
    tenant = codes.get(row.tenant)
    if tenant is None:
        tenant = codes[row.tenant] = MunicipalityCode(row.tenant)
    return Server(
        id=ServerId(row.id),
        tenant=tenant,
        system=SystemId(row.system_id),
        name=row.name,
        role=row.role,
        flavor=FlavorId(row.flavor_id),
        size=Resources(VCpu(row.vcpu), MiB(row.memory_mib)),
        disk=GiB(row.disk_gib),
        image=ImageId(row.image_id),
        zone=Zone(row.zone),
        tier=row.tier,
        start_order=row.start_order,
        storage=StoragePoolId(row.storage_id),
        address=row.address,
        placement=placement_of(row),
        power=Power(row.power),
        seen=Seen(row.seen),
        deleting=row.deleting,
        group=None if row.group_id is None else GroupId(row.group_id),
        traits=frozenset(row.traits or ()),
        sites=frozenset(SiteId(site) for site in row.sites or ()),
        generation=Generation(row.generation),
        protected=row.protected,
        isolated=row.isolated,
        boot_since=Generation(row.boot_since),
        boot_hard=row.boot_hard,
        disk_build=row.disk_build,
        backing=Backing.parse(row.backing),
        sized_since=Generation(row.sized_since),
        copy_generation=Generation(row.copy_generation),
        booted=Generation(row.booted),
    )

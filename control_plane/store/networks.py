"""Members' networks and their security groups, and what hosts have made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from control_plane.model.ids import (
    Generation,
    HostId,
    NetworkId,
    RegionId,
    SecurityGroupId,
    ServerId,
    SiteId,
)
from control_plane.model.network import (
    DEFAULT_GROUP,
    FIRST_SEGMENT,
    Network,
    SecurityGroup,
    Subnet,
    default_rules,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import tables
from control_plane.store.bindings import BindingReads, BindingWrites
from control_plane.store.failures import LostRace
from control_plane.store.network_tables import (
    bindings,
    host_network_reports,
    networks,
    security_groups,
    segments,
    server_groups,
    subnets,
)
from control_plane.store.network_values import rules_from_json, rules_to_json
from control_plane.store.rows import TenantName, already_exists, not_found


class NetworkReads(BindingReads):
    def networks(
        self,
        tenant: TenantName | None = None,
        *,
        also: TenantName | None = None,
        after: NetworkId | None = None,
        limit: int | None = None,
    ) -> tuple[Network, ...]:
        """By id, beginning behind `after`; of those, of `tenant` and `also`, that are said."""
        query = select(networks).order_by(networks.c.id)
        for owner in (tenant, also):
            if owner is not None:
                query = query.where(networks.c.tenant == str(owner))
        if after is not None:
            query = query.where(networks.c.id > after)
        if limit is not None:
            query = query.limit(limit)
        found = self._connection.execute(query).all()
        blocks = self._subnets([row.id for row in found] if limit or tenant or also else None)
        return tuple(_network(row, blocks.get(row.id, [])) for row in found)

    def network(self, id: NetworkId, tenant: TenantName | None = None) -> Network:
        """With `tenant`, another member's network is not found."""
        query = select(networks).where(networks.c.id == id)
        if tenant is not None:
            query = query.where(networks.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("network", id)
        return _network(row, self._subnets([row.id]).get(row.id, []))

    def security_groups(
        self,
        tenant: TenantName | None = None,
        *,
        also: TenantName | None = None,
        after: SecurityGroupId | None = None,
        limit: int | None = None,
    ) -> tuple[SecurityGroup, ...]:
        """By id, beginning behind `after`; of those, of `tenant` and `also`, that are said."""
        query = select(security_groups).order_by(security_groups.c.id)
        for owner in (tenant, also):
            if owner is not None:
                query = query.where(security_groups.c.tenant == str(owner))
        if after is not None:
            query = query.where(security_groups.c.id > after)
        if limit is not None:
            query = query.limit(limit)
        return tuple(_group(row) for row in self._connection.execute(query))

    def security_group(
        self, id: SecurityGroupId, tenant: TenantName | None = None
    ) -> SecurityGroup:
        """With `tenant`, another member's group is not found."""
        query = select(security_groups).where(security_groups.c.id == id)
        if tenant is not None:
            query = query.where(security_groups.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("security-group", id)
        return _group(row)

    def groups_of_servers(
        self, among: Collection[ServerId] | None = None
    ) -> Mapping[ServerId, frozenset[SecurityGroupId]]:
        """The groups of servers that are in others than their member's default one."""
        query = select(server_groups)
        if among is not None:
            query = query.where(server_groups.c.server_id.in_(sorted(among)))
        found: defaultdict[ServerId, set[SecurityGroupId]] = defaultdict(set)
        for row in self._connection.execute(query):
            found[ServerId(row.server_id)].add(SecurityGroupId(row.group_id))
        return {server: frozenset(groups) for server, groups in found.items()}

    def servers_in_group(self, id: SecurityGroupId) -> tuple[ServerId, ...]:
        """Those that were put into it by name."""
        query = (
            select(server_groups.c.server_id)
            .where(server_groups.c.group_id == id)
            .order_by(server_groups.c.server_id)
        )
        return tuple(ServerId(name) for name in self._connection.scalars(query))

    def applied_networks(self) -> Mapping[HostId, str]:
        """The tag of the plan that each host has made so, as far as it has said."""
        query = select(host_network_reports.c.host_id, host_network_reports.c.applied)
        return {HostId(row.host_id): row.applied for row in self._connection.execute(query)}

    def network_reports(self) -> Mapping[HostId, tuple[str, datetime]]:
        """As `applied_networks`, and since when it is that plan."""
        found = self._connection.execute(select(host_network_reports))
        return {HostId(row.host_id): (row.applied, row.at) for row in found}

    def network_fingerprint(self) -> tuple[object, ...]:
        """Differs whenever hosts' networks may have come to differ; read with far less work than
        all that they follow from."""
        servers, refuges = tables.servers, tables.refuges
        queries = (
            select(servers.c.id, servers.c.host_id, servers.c.target_host_id).order_by(
                servers.c.id
            ),
            select(refuges.c.server_id, refuges.c.host_id)
            .distinct()
            .order_by(refuges.c.server_id, refuges.c.host_id),
            select(tables.hosts.c.id, tables.hosts.c.endpoint).order_by(tables.hosts.c.id),
            select(networks.c.id, networks.c.segment, networks.c.generation).order_by(
                networks.c.id
            ),
            select(subnets.c.addresses, subnets.c.network_id).order_by(subnets.c.addresses),
            select(security_groups.c.id, security_groups.c.generation).order_by(
                security_groups.c.id
            ),
            select(server_groups.c.server_id, server_groups.c.group_id).order_by(
                server_groups.c.server_id, server_groups.c.group_id
            ),
            select(bindings.c.id, bindings.c.generation).order_by(bindings.c.id),
        )
        return tuple([tuple(row) for row in self._connection.execute(query)] for query in queries)

    def _subnets(self, of: Collection[str] | None) -> dict[str, list[Subnet]]:
        query = select(subnets)
        if of is not None:
            query = query.where(subnets.c.network_id.in_(sorted(of)))
        found: defaultdict[str, list[Subnet]] = defaultdict(list)
        for row in self._connection.execute(query):
            found[row.network_id].append(_subnet(row))
        return found


class NetworkWrites(BindingWrites, NetworkReads):
    def ensure_network(self, tenant: MunicipalityCode, region: RegionId, zone: Zone) -> Network:
        """The member's network there, made now if there is none, and called as the zone is. Of two
        transactions that make one at the same time, one loses its race, so that no two networks share
        a segment."""
        row = self._first(
            select(networks).where(
                networks.c.tenant == tenant.text,
                networks.c.region_id == region,
                networks.c.zone == zone.value,
            )
        )
        if row is not None:
            return _network(row, self._subnets([row.id]).get(row.id, []))
        highest = self._connection.scalar(select(func.max(segments.c.number)))
        segment = FIRST_SEGMENT if highest is None else int(highest) + 1
        self._connection.execute(insert(segments).values(number=segment))
        id = f"m{tenant}-{zone.value}"
        if self._exists(networks, id):
            id = f"{id}-{segment}"
        made = Network(NetworkId(id), tenant, region, zone, zone.value, segment)
        self._connection.execute(
            insert(networks).values(
                id=made.id,
                tenant=tenant.text,
                region_id=region,
                zone=zone.value,
                name=made.name,
                segment=segment,
                offices=[],
                generation=made.generation,
            )
        )
        return made

    def set_offices(self, network: Network, offices: Collection[IPv4Network]) -> Network:
        """Answers it with the next generation. Raises LostRace when it has moved on since it was read."""
        saved = replace(
            network,
            offices=tuple(sorted(offices)),
            generation=Generation(network.generation + 1),
        )
        written = self._connection.execute(
            update(networks)
            .where(networks.c.id == network.id, networks.c.generation == network.generation)
            .values(offices=[str(office) for office in saved.offices], generation=saved.generation)
        )
        if written.rowcount == 0:
            raise LostRace(f"network {network.id}")
        return saved

    def add_security_group(self, group: SecurityGroup) -> SecurityGroup:
        """Raises `security-group-exists` where the member has one of that name."""
        named = select(security_groups.c.id).where(
            security_groups.c.tenant == group.tenant.text, security_groups.c.name == group.name
        )
        if self._first(named) is not None:
            raise already_exists("security-group", group.name)
        self._connection.execute(
            insert(security_groups).values(
                id=group.id,
                tenant=group.tenant.text,
                name=group.name,
                rules=rules_to_json(group.rules),
                generation=group.generation,
                description=group.description,
            )
        )
        return group

    def add_default_group(self, tenant: MunicipalityCode) -> SecurityGroup:
        """The one that every member has."""
        id = SecurityGroupId(f"m{tenant}-{DEFAULT_GROUP}")
        return self.add_security_group(SecurityGroup(id, tenant, DEFAULT_GROUP, default_rules(id)))

    def save_security_group(self, group: SecurityGroup) -> SecurityGroup:
        """Its name, description and rules; answers it with the next generation. Raises `security-group-exists`,
        and LostRace when it has moved on since it was read."""
        of = security_groups.c
        named = select(of.id).where(
            of.tenant == group.tenant.text, of.name == group.name, of.id != group.id
        )
        if self._first(named) is not None:
            raise already_exists("security-group", group.name)
        saved = replace(group, generation=Generation(group.generation + 1))
        written = self._connection.execute(
            update(security_groups)
            .where(of.id == group.id, of.generation == group.generation)
            .values(
                name=group.name,
                description=group.description,
                rules=rules_to_json(group.rules),
                generation=saved.generation,
            )
        )
        if written.rowcount == 0:
            raise LostRace(f"security group {group.id}")
        return saved

    def remove_security_group(self, group: SecurityGroup) -> None:
        """Whoever asks has made sure that no server is in it and no rule names it. Raises LostRace
        when it has moved on since it was read."""
        of = security_groups.c
        gone = self._connection.execute(
            delete(security_groups).where(of.id == group.id, of.generation == group.generation)
        )
        if gone.rowcount == 0:
            raise LostRace(f"security group {group.id}")

    def hold_security_group(self, id: SecurityGroupId) -> None:
        """It stays until this transaction ends."""
        self._hold("security-group", security_groups, id)

    def set_groups_of(self, server: ServerId, groups: Collection[SecurityGroupId]) -> None:
        """None puts it back into its member's default group. The groups stay until this transaction
        ends."""
        for group in sorted(groups):
            self.hold_security_group(group)
        self._connection.execute(delete(server_groups).where(server_groups.c.server_id == server))
        if groups:
            self._connection.execute(
                insert(server_groups),
                [{"server_id": server, "group_id": group} for group in sorted(groups)],
            )

    def note_applied_network(self, host: HostId, applied: str, at: datetime) -> None:
        """What the host says it has made so."""
        reports = host_network_reports
        written = self._connection.execute(
            update(reports).where(reports.c.host_id == host).values(applied=applied, at=at)
        )
        if written.rowcount == 0:
            self._connection.execute(insert(reports).values(host_id=host, applied=applied, at=at))

    def drop_networks(self, tenant: TenantName) -> None:
        """All that a member without servers has of networks, groups and bindings."""
        own = select(networks.c.id).where(networks.c.tenant == str(tenant))
        self._connection.execute(delete(subnets).where(subnets.c.network_id.in_(own)))
        self._connection.execute(delete(networks).where(networks.c.tenant == str(tenant)))
        self._connection.execute(
            delete(security_groups).where(security_groups.c.tenant == str(tenant))
        )
        self.drop_bindings(tenant)

    def leave_network(self, server: ServerId, tenant: str, site: SiteId, address: str) -> None:
        """Before it is removed: its groups know it no more, and its block, if it is the last there, is
        anybody's; only a reserved network keeps its last block at a site."""
        self._connection.execute(delete(server_groups).where(server_groups.c.server_id == server))
        held = IPv4Address(address.partition("/")[0])
        found = self._connection.execute(
            select(subnets, networks.c.reserved)
            .join(networks, networks.c.id == subnets.c.network_id)
            .where(subnets.c.site_id == site, networks.c.tenant == tenant)
        ).all()
        block = next((b for b in found if held in IPv4Network(b.addresses)), None)
        if block is None:
            return
        if block.reserved and sum(b.network_id == block.network_id for b in found) == 1:
            return
        of = tables.servers.c
        others = self._connection.scalars(
            select(of.address).where(of.site_id == site, of.tenant == tenant, of.id != server)
        )
        network = IPv4Network(block.addresses)
        if not any(IPv4Address(other.partition("/")[0]) in network for other in others):
            self._connection.execute(
                delete(subnets).where(
                    subnets.c.site_id == site, subnets.c.addresses == block.addresses
                )
            )


def _network(row: Row[Any], of: Collection[Subnet]) -> Network:
    return Network(
        NetworkId(row.id),
        MunicipalityCode(row.tenant),
        RegionId(row.region_id),
        Zone(row.zone),
        row.name,
        row.segment,
        tuple(sorted(of, key=lambda subnet: (subnet.site, subnet.addresses))),
        tuple(IPv4Network(office) for office in row.offices),
        Generation(row.generation),
        row.reserved,
    )


def _subnet(row: Row[Any]) -> Subnet:
    return Subnet(SiteId(row.site_id), IPv4Network(row.addresses), IPv4Address(row.gateway))


def _group(row: Row[Any]) -> SecurityGroup:
    return SecurityGroup(
        SecurityGroupId(row.id),
        MunicipalityCode(row.tenant),
        row.name,
        rules_from_json(row.rules),
        Generation(row.generation),
        row.description,
    )

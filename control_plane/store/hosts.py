"""Hosts: their descriptions, their health and duty, and the generations that guard them.

A host's generation rises with every change of its description, health or duty, and with every
growth of what is held on it or kept free on it for a refuge. Whoever decided by an older generation
loses its race. `add_server`, `save_server` and `set_refuges` raise it by themselves, once in a
transaction, so that no writer can forget to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Row

from control_plane.model.errors import YuiError
from control_plane.model.host_health import Cleaning, Fenced
from control_plane.model.ids import Generation, HostId, RegionId, SiteId, StoragePoolId
from control_plane.model.pool import DomainKind, Duty, FailureDomain, Host, Zone
from control_plane.model.units import MiB, Resources, VCpu
from control_plane.store import tables
from control_plane.store.at_once import named, rows_at_once
from control_plane.store.capacity_tables import holding_refuges, holdings
from control_plane.store.failures import LostRace
from control_plane.store.fences import FenceWrites
from control_plane.store.network_tables import host_network_reports
from control_plane.store.rows import Rows, not_found
from control_plane.store.statements import chosen
from control_plane.store.values import (
    domains_to_json,
    endpoint_from_json,
    endpoint_to_json,
    health_from_json,
    health_kind,
    health_to_json,
    names_to_json,
)

_BY_ID = select(tables.hosts).order_by(tables.hosts.c.id)


class HostReads(Rows):
    def hosts(self, region: RegionId | None = None) -> tuple[Host, ...]:
        """By id."""
        query, values = chosen(_BY_ID, {tables.hosts.c.region_id: region})
        rows = rows_at_once(self._connection, query, **values)
        return tuple(
            self._meanings.of(f"hosts {region}", rows, lambda row: _host(named(query, row)))
        )

    def host_page(
        self,
        limit: int,
        after: str | None = None,
        *,
        region: RegionId | None = None,
        health: str | None = None,
        duty: Duty | None = None,
    ) -> tuple[Host, ...]:
        """At most `limit` hosts by id, behind `after`; `health` is the kind of it, such as `up`."""
        hosts = tables.hosts.c
        wanted = {hosts.region_id: region, hosts.health_kind: health, hosts.duty: duty}
        query = select(tables.hosts).order_by(hosts.id).limit(limit)
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        if after is not None:
            query = query.where(hosts.id > after)
        return tuple(_host(row) for row in self._connection.execute(query))

    def host(self, id: HostId) -> Host:
        row = self._row(tables.hosts, id)
        if row is None:
            raise not_found("host", id)
        return _host(row)


class HostWrites(HostReads, FenceWrites):
    def put_host_description(self, host: Host) -> Host:
        """Add a host, which enters Cleaning at generation 1, or describe a standing one anew: its
        health and duty stay, its generation rises when something changed. Answers what is stored.

        Raises `site-not-found`, `host-region-differs`, `storage-pool-not-found` for a pool that the
        host's region does not have, and `host-in-use` when a host that carries servers or is a
        refuge would change its site.
        """
        self._check_description(host)
        row = self._row(tables.hosts, host.id)
        if row is None:
            fresh = replace(
                host,
                health=Cleaning(host.health.since),
                duty=Duty.IN_SERVICE,
                generation=Generation(1),
            )
            self._connection.execute(insert(tables.hosts).values(id=host.id, **_values(fresh)))
            return self.host(host.id)
        standing = _host(row)
        described = replace(
            host,
            health=standing.health,
            duty=standing.duty,
            generation=standing.generation,
        )
        if described == standing:
            return standing
        if standing.site != host.site and self._is_needed(host.id):
            raise _in_use(host.id)
        return self.save_host(described)

    def save_host(self, host: Host) -> Host:
        """Write all of `host` and answer it with the next generation. The evidence of a Fenced host
        is kept for good in the same stroke. Raises LostRace when the host has moved on since
        `host` was read."""
        expected = host.generation
        if host.id in self._marked_hosts:
            before, current = self._marked_hosts[host.id]
            if expected not in (before, current):
                raise LostRace(f"host {host.id}")
            expected = current
        saved = replace(host, generation=Generation(expected + 1))
        written = self._connection.execute(
            _SAVING, {"saved": host.id, "was": expected, **_values(saved)}
        )
        if written.rowcount == 0:
            self._need("host", tables.hosts, host.id)
            raise LostRace(f"host {host.id}")
        self._marked_hosts[host.id] = (saved.generation, saved.generation)
        if isinstance(host.health, Fenced):
            self.add_fence(host.health.evidence)
            # What it had made so is gone with its power.
            self._forget_network_report(host.id)
        return saved

    def guard_hosts(self, generations: Mapping[HostId, Generation]) -> None:
        """Raise each host's generation by one, or LostRace if any is no longer the one given. A
        host that this transaction itself has already marked is not raised again."""
        # In one order everywhere, so that two transactions wait for each other rather than
        # deadlock.
        for id in sorted(generations):
            if id in self._marked_hosts:
                if generations[id] not in self._marked_hosts[id]:
                    raise LostRace(f"host {id}")
                continue
            self._raise_generation(id, generations[id])

    def remove_host(self, id: HostId) -> None:
        """Forget a host; its fence evidence stays. Raises `host-in-use` while it carries servers
        or is a refuge."""
        self._need("host", tables.hosts, id)
        if self._is_needed(id):
            raise _in_use(id)
        self.remove_fence_word(id)
        self._drop_holdings_on(id)
        self._forget_network_report(id)
        self._connection.execute(delete(tables.hosts).where(tables.hosts.c.id == id))

    def _forget_network_report(self, id: HostId) -> None:
        self._connection.execute(
            delete(host_network_reports).where(host_network_reports.c.host_id == id)
        )

    def _drop_holdings_on(self, id: HostId) -> None:
        """Nothing runs in them: the next certification places them anew."""
        here = select(holdings.c.id).where(holdings.c.host_id == id)
        refuges = holding_refuges
        self._connection.execute(
            delete(refuges).where(or_(refuges.c.host_id == id, refuges.c.holding_id.in_(here)))
        )
        self._connection.execute(delete(holdings).where(holdings.c.host_id == id))

    def _mark_hosts(self, hosts: Iterable[HostId]) -> None:
        """Raise the generation of hosts that come to carry or promise more, once a transaction."""
        for id in sorted(set(hosts) - set(self._marked_hosts)):
            self._raise_generation(id, None)

    def _raise_generation(self, id: HostId, expected: Generation | None) -> None:
        if expected is None:
            row = self._first(_RAISING, of=id)
        else:
            row = self._first(_RAISING_FROM, of=id, expected=expected)
        if row is None:
            self._need("host", tables.hosts, id)
            raise LostRace(f"host {id}")
        self._marked_hosts[id] = (Generation(row.generation - 1), Generation(row.generation))

    def _is_needed(self, id: HostId) -> bool:
        """True while it carries servers or is a refuge for some."""
        servers, refuges = tables.servers, tables.refuges
        carried = select(servers.c.id).where(
            or_(servers.c.host_id == id, servers.c.target_host_id == id)
        )
        promised = select(refuges.c.server_id).where(refuges.c.host_id == id)
        return any(self._first(query.limit(1)) is not None for query in (carried, promised))

    def _check_description(self, host: Host) -> None:
        site = self._first(select(tables.sites.c.region_id).where(tables.sites.c.id == host.site))
        if site is None:
            raise not_found("site", host.site)
        if site.region_id != host.region:
            raise YuiError(
                "host-region-differs",
                en=f"Host '{host.id}' names region '{host.region}', but its site '{host.site}' is in '{site.region_id}': make the two agree.",
                ja=f"ホスト「{host.id}」のリージョンは「{host.region}」ですが、サイト「{host.site}」は「{site.region_id}」にあります。どちらかに合わせてください。",
                fields={"host": host.id, "region": host.region, "site": host.site},
            )
        known = self._connection.scalars(
            select(tables.storage_pools.c.id)
            .join(tables.sites, tables.sites.c.id == tables.storage_pools.c.site_id)
            .where(tables.sites.c.region_id == host.region)
        )
        for missing in sorted(host.storage - {StoragePoolId(id) for id in known}):
            raise not_found("storage-pool", missing)


# Made once: every host that comes to carry or promise more is marked so.
_RAISING = (
    update(tables.hosts)
    .where(tables.hosts.c.id == bindparam("of"))
    .values(generation=tables.hosts.c.generation + 1)
    .returning(tables.hosts.c.generation)
)
_SAVING = update(tables.hosts).where(
    tables.hosts.c.id == bindparam("saved"), tables.hosts.c.generation == bindparam("was")
)
_RAISING_FROM = _RAISING.where(tables.hosts.c.generation == bindparam("expected"))


def _in_use(id: HostId) -> YuiError:
    return YuiError(
        "host-in-use",
        en=f"Host '{id}' carries servers or is a refuge for some: drain it first.",
        ja=f"ホスト「{id}」はサーバーを載せているか、退避先に指定されています。先にドレインしてください。",
        status=409,
        fields={"host": id},
    )


def _values(host: Host) -> dict[str, Any]:
    return {
        "site_id": host.site,
        "region_id": host.region,
        "vcpu": host.capacity.vcpu,
        "memory_mib": host.capacity.memory,
        "zones": names_to_json(host.zones),
        "storage": names_to_json(host.storage),
        "traits": names_to_json(host.traits),
        "domains": domains_to_json(host.domains),
        "endpoint": endpoint_to_json(host.endpoint),
        "duty": host.duty.value,
        "health_kind": health_kind(host.health),
        "health": health_to_json(host.health),
        "generation": host.generation,
    }


def _host(row: Row[tuple[object, ...]]) -> Host:
    return Host(
        id=HostId(row.id),
        site=SiteId(row.site_id),
        region=RegionId(row.region_id),
        capacity=Resources(VCpu(row.vcpu), MiB(row.memory_mib)),
        zones=frozenset(Zone(zone) for zone in row.zones),
        storage=frozenset(StoragePoolId(pool) for pool in row.storage),
        endpoint=endpoint_from_json(row.endpoint),
        health=health_from_json(row.health),
        duty=Duty(row.duty),
        traits=frozenset(row.traits),
        domains=frozenset(FailureDomain(DomainKind(kind), name) for kind, name in row.domains),
        generation=Generation(row.generation),
    )

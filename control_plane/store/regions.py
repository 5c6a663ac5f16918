"""Regions, their sites, and the sites' storage pools."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, SiteId, StoragePoolId
from control_plane.model.pool import DomainKind, Policy, Region, Site, StoragePool
from control_plane.model.units import GiB
from control_plane.store import tables
from control_plane.store.capacity_tables import allotments, holding_refuges, holdings
from control_plane.store.network_tables import networks, subnets
from control_plane.store.rows import Rows, not_found
from control_plane.store.statements import chosen
from control_plane.store.values import names_to_json
from control_plane.store.volume_tables import server_snapshots, volumes

_REGIONS = select(tables.regions).order_by(tables.regions.c.id)
_SITES = select(tables.sites).order_by(tables.sites.c.id)
_POOLS = select(tables.storage_pools).order_by(tables.storage_pools.c.position)


class RegionReads(Rows):
    def regions(self) -> tuple[Region, ...]:
        """By id."""
        return tuple(_region(row) for row in self._connection.execute(_REGIONS))

    def region(self, id: RegionId) -> Region:
        row = self._row(tables.regions, id)
        if row is None:
            raise not_found("region", id)
        return _region(row)

    def sites(self, region: RegionId | None = None) -> tuple[Site, ...]:
        """By id; each with its storage pools in the order in which they were described."""
        pools: dict[str, list[StoragePool]] = defaultdict(list)
        for row in self._connection.execute(_POOLS):
            pools[row.site_id].append(_storage_pool(row))
        query, values = chosen(_SITES, {tables.sites.c.region_id: region})
        return tuple(_site(row, pools[row.id]) for row in self._connection.execute(query, values))

    def site(self, id: SiteId) -> Site:
        row = self._row(tables.sites, id)
        if row is None:
            raise not_found("site", id)
        query, values = chosen(_POOLS, {tables.storage_pools.c.site_id: id})
        pools = self._connection.execute(query, values)
        return _site(row, [_storage_pool(pool) for pool in pools])

    def site_of_storage(self, pool: StoragePoolId) -> SiteId:
        row = self._row(tables.storage_pools, pool)
        if row is None:
            raise not_found("storage-pool", pool)
        return SiteId(row.site_id)


class RegionWrites(RegionReads):
    def hold_region(self, id: RegionId) -> None:
        """Keep the region's description (policy, promised kinds) as it was read until this
        transaction ends: a change of it under way makes this one lose its race."""
        self._hold("region", tables.regions, id)

    def put_region(self, region: Region) -> None:
        """Add it, or describe it anew. Whoever changes `promised` must certify afterwards."""
        values = {
            "name": region.name,
            "prefectures": names_to_json(region.prefectures),
            "policy": region.policy.value,
            "promised": names_to_json(region.promised),
            "notice_days": region.notice_days,
        }
        held = tables.regions.c.id == region.id
        if self._exists(tables.regions, region.id):
            if self.region(region.id) != region:
                self._connection.execute(update(tables.regions).where(held).values(values))
        else:
            self._connection.execute(insert(tables.regions).values(id=region.id, **values))

    def put_site(self, site: Site) -> None:
        """Add it, or describe it anew, with its storage pools.

        Raises `guest-network-invalid`, `guest-gateway-invalid`, `guest-network-is-office`, `guest-network-in-use` when servers have addresses outside
        the old network, `site-region-differs` when it would change its region, and
        `storage-pool-in-use` when a pool that holds volumes is left out or belongs elsewhere.
        """
        network = guest_network(site)
        guest_gateway(site)
        self._need("region", tables.regions, site.region)
        self._refuse_offices(site, network)
        values = {
            "region_id": site.region,
            "name": site.name,
            "guest_network": str(network),
            "guest_gateway": site.guest_gateway,
            "member_prefix": site.member_prefix,
        }
        row = self._row(tables.sites, site.id)
        if row is None:
            self._connection.execute(insert(tables.sites).values(id=site.id, **values))
        elif any(getattr(row, name) != value for name, value in values.items()):
            if row.region_id != site.region:
                raise _region_stays(site, RegionId(row.region_id))
            apart, wanted = row.member_prefix is not None, site.member_prefix is not None
            if row.guest_network != str(network):
                self._refuse_with_addresses(site)
            if apart != wanted:
                self._refuse_to_part(site)
            if row.guest_network != str(network) or apart != wanted:
                self._connection.execute(delete(subnets).where(subnets.c.site_id == site.id))
            self._connection.execute(
                update(tables.sites).where(tables.sites.c.id == site.id).values(values)
            )
        self._put_storage_pools(site)

    def remove_region(self, id: RegionId) -> None:
        """Raises `region-in-use` while it has sites or members' systems."""
        self._need("region", tables.regions, id)
        held = select(tables.sites.c.id).where(tables.sites.c.region_id == id)
        systems = select(tables.systems.c.id).where(tables.systems.c.region_id == id)
        if self._first(held.limit(1)) or self._first(systems.limit(1)):
            raise YuiError(
                "region-in-use",
                en=f"Region '{id}' still has sites or systems: remove them first.",
                ja=f"リージョン「{id}」にはまだサイトまたはシステムがあります。先に取り除いてください。",
                status=409,
                fields={"region": id},
            )
        # Without hosts and servers nothing of a guarantee is left.
        for of in (holding_refuges, holdings, allotments, networks):
            self._connection.execute(delete(of).where(of.c.region_id == id))
        self._connection.execute(delete(tables.regions).where(tables.regions.c.id == id))

    def remove_site(self, id: SiteId) -> None:
        """Forget a site and its storage pools. Raises `site-in-use` while it has hosts or holds
        servers' disks."""
        self._need("site", tables.sites, id)
        hosts = select(tables.hosts.c.id).where(tables.hosts.c.site_id == id)
        servers = select(tables.servers.c.id).where(tables.servers.c.site_id == id)
        stores = any(self._stores(pool.id) for pool in self.site(id).storage_pools)
        if stores or self._first(hosts.limit(1)) or self._first(servers.limit(1)):
            raise YuiError(
                "site-in-use",
                en=f"Site '{id}' still has hosts or servers' disks: remove them first.",
                ja=f"サイト「{id}」にはまだホストまたはサーバーのディスクがあります。先に取り除いてください。",
                status=409,
                fields={"site": id},
            )
        pools = tables.storage_pools
        self._connection.execute(delete(pools).where(pools.c.site_id == id))
        self._connection.execute(delete(subnets).where(subnets.c.site_id == id))
        self._connection.execute(delete(tables.sites).where(tables.sites.c.id == id))

    def _put_storage_pools(self, site: Site) -> None:
        pools = tables.storage_pools
        standing = {
            row.id: row
            for row in self._connection.execute(
                select(pools).where(
                    (pools.c.site_id == site.id)
                    | pools.c.id.in_([p.id for p in site.storage_pools])
                )
            )
        }
        wanted = {pool.id for pool in site.storage_pools}
        for gone in sorted(set(standing) - wanted):
            if self._stores(gone):
                raise _storage_in_use(StoragePoolId(gone), site.id)
            self._connection.execute(delete(pools).where(pools.c.id == gone))
        for position, pool in enumerate(site.storage_pools):
            row = standing.get(pool.id)
            values = {"position": position, "capacity_gib": pool.capacity, "path": pool.path}
            if row is None:
                self._connection.execute(
                    insert(pools).values(id=pool.id, site_id=site.id, generation=1, **values)
                )
            elif row.site_id != site.id:
                raise _storage_in_use(pool.id, SiteId(row.site_id))
            elif (row.position, row.capacity_gib, row.path) != tuple(values.values()):
                self._connection.execute(
                    update(pools)
                    .where(pools.c.id == pool.id)
                    .values(generation=row.generation + 1, **values)
                )

    def _stores(self, pool: str) -> bool:
        """Whether anybody's disks are on it."""
        return any(
            self._first(select(table.c.id).where(table.c.storage_id == pool).limit(1))
            for table in (tables.servers, volumes, server_snapshots)
        )

    def _server_at(self, site: Site) -> Row[Any] | None:
        # Whoever adds a server marks its storage, so none comes in unseen.
        self.hold_storage(*(pool.id for pool in self.site(site.id).storage_pools))
        return self._first(
            select(tables.servers.c.id).where(tables.servers.c.site_id == site.id).limit(1)
        )

    def _refuse_to_part(self, site: Site) -> None:
        """What servers have as address, network and router can't change under them."""
        row = self._server_at(site)
        if row is not None:
            raise YuiError(
                "member-prefix-in-use",
                en=f"Site '{site.id}' has servers, so whether its hosts keep members' networks apart (member_prefix, {{segment}} in bridge) cannot change: keep it, or add a new site.",
                ja=f"サイト「{site.id}」にはサーバーがあるため、参加団体ごとにネットワークを分けるかどうか(member_prefix、bridge の {{segment}})は変更できません。現在の設定のままにするか、新しいサイトを追加してください。",
                status=409,
                fields={"site": site.id, "server": row.id},
            )

    def _refuse_offices(self, site: Site, network: IPv4Network) -> None:
        """Servers and offices with the same addresses could not be told apart."""
        for offices in self._connection.scalars(select(networks.c.offices)):
            for office in offices:
                if network.overlaps(IPv4Network(office)):
                    raise YuiError(
                        "guest-network-is-office",
                        en=f"Site '{site.id}' would have guest network {network}, which overlaps a member's office network {office}: choose another one.",
                        ja=f"サイト「{site.id}」のゲストネットワーク {network} は、参加団体の庁内ネットワーク {office} と重なります。別のネットワークにしてください。",
                        status=409,
                        fields={"site": site.id, "guest_network": str(network), "office": office},
                    )

    def _refuse_with_addresses(self, site: Site) -> None:
        row = self._server_at(site)
        if row is not None:
            raise YuiError(
                "guest-network-in-use",
                en=f"Site '{site.id}' has servers with addresses of its present guest network, so the network cannot become {site.guest_network}: keep it, or add a new site.",
                ja=f"サイト「{site.id}」のサーバーが現在のゲストネットワークを使用しているため、{site.guest_network} に変更できません。現在の設定のままにするか、新しいサイトを追加してください。",
                status=409,
                fields={"site": site.id, "guest_network": site.guest_network, "server": row.id},
            )

    def _mark_storage(self, pool: StoragePoolId) -> None:
        """Raise the pool's generation once, so that no two transactions can both fill its room."""
        if pool in self._marked_pools:
            return
        marked = self._connection.execute(
            update(tables.storage_pools)
            .where(tables.storage_pools.c.id == pool)
            .values(generation=tables.storage_pools.c.generation + 1)
        )
        if marked.rowcount == 0:
            raise not_found("storage-pool", pool)
        self._marked_pools.add(pool)

    def hold_storage(self, *pools: StoragePoolId) -> None:
        """No other transaction can change what these pools hold once this one has committed; the
        one that began beside it raises LostRace."""
        for pool in sorted(set(pools)):
            self._mark_storage(pool)


def guest_network(site: Site) -> IPv4Network:
    """The site's guest network as a value; raises `guest-network-invalid`."""
    try:
        return IPv4Network(site.guest_network)
    except ValueError as error:
        raise YuiError(
            "guest-network-invalid",
            en=f"Site '{site.id}' has guest network '{site.guest_network[:64]}', which is no IPv4 network: write it like 10.77.16.0/24.",
            ja=f"サイト「{site.id}」のゲストネットワーク「{site.guest_network[:64]}」は IPv4 ネットワークではありません。10.77.16.0/24 のように指定してください。",
            fields={"site": site.id, "guest_network": site.guest_network[:64]},
        ) from error


def guest_gateway(site: Site) -> IPv4Address | None:
    """The router within the guest network, where there is one; raises `guest-gateway-invalid`."""
    if site.guest_gateway is None:
        return None
    network = guest_network(site)
    try:
        gateway = IPv4Address(site.guest_gateway)
    except ValueError:
        gateway = None
    if gateway is None or gateway not in network:
        raise YuiError(
            "guest-gateway-invalid",
            en=f"Site '{site.id}' has guest gateway '{site.guest_gateway[:64]}', which is no address of {network}: name one of its addresses, or none.",
            ja=f"サイト「{site.id}」のゲストゲートウェイ「{site.guest_gateway[:64]}」は {network} のアドレスではありません。このネットワークのアドレスを指定するか、指定を外してください。",
            fields={"site": site.id, "guest_gateway": site.guest_gateway[:64]},
        )
    return gateway


def _region_stays(site: Site, region: RegionId) -> YuiError:
    return YuiError(
        "site-region-differs",
        en=f"Site '{site.id}' is in region '{region}' and cannot change to '{site.region}': add a new site there.",
        ja=f"サイト「{site.id}」はリージョン「{region}」にあり、「{site.region}」へは変更できません。変更先のリージョンに新しいサイトを追加してください。",
        status=409,
        fields={"site": site.id, "region": region},
    )


def _storage_in_use(pool: StoragePoolId, site: SiteId) -> YuiError:
    return YuiError(
        "storage-pool-in-use",
        en=f"Storage pool '{pool}' of site '{site}' is in use: remove its servers, or choose another name for a new pool.",
        ja=f"ストレージプール「{pool}」(サイト「{site}」)は使用中です。サーバーを取り除くか、新しいプールには別の名前を付けてください。",
        status=409,
        fields={"storage-pool": pool, "site": site},
    )


def _region(row: Row[tuple[object, ...]]) -> Region:
    return Region(
        RegionId(row.id),
        row.name,
        frozenset(row.prefectures),
        Policy(row.policy),
        frozenset(DomainKind(kind) for kind in row.promised),
        row.notice_days,
    )


def _storage_pool(row: Row[tuple[object, ...]]) -> StoragePool:
    return StoragePool(StoragePoolId(row.id), GiB(row.capacity_gib), row.path)


def _site(row: Row[tuple[object, ...]], pools: list[StoragePool]) -> Site:
    return Site(
        SiteId(row.id),
        RegionId(row.region_id),
        row.name,
        row.guest_network,
        row.guest_gateway,
        tuple(pools),
        row.member_prefix,
    )

"""IPv4 addresses for servers: from their member's blocks where hosts keep members apart, else from the
guest network of the site that holds their storage."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from socket import inet_aton

from sqlalchemy import bindparam, insert, select, update

from control_plane.model.errors import YuiError
from control_plane.model.ids import SiteId
from control_plane.model.network import Network, Subnet
from control_plane.model.pool import Site
from control_plane.store import tables
from control_plane.store.at_once import rows_at_once
from control_plane.store.failures import LostRace
from control_plane.store.network_tables import subnets
from control_plane.store.networks import NetworkWrites
from control_plane.store.regions import RegionReads, guest_gateway, guest_network

_GIVEN = select(tables.servers.c.address).where(tables.servers.c.site_id == bindparam("site"))


class AddressWrites(NetworkWrites, RegionReads):
    def allocate_address(self, site: SiteId) -> str:
        """The lowest free address of the site, such as `10.77.16.5/24`, never the network's own,
        its gateway's or its broadcast address.

        It is held once a server that carries it is added in this transaction; of two transactions
        that were given the same one, the second loses its race. Raises `site-not-found`,
        `guest-network-invalid`, `addresses-exhausted`.
        """
        described = self.site(site)
        network = guest_network(described)
        gateway = guest_gateway(described)
        number = self._free(site, network, () if gateway is None else (gateway,))
        if number is None:
            raise _exhausted(site, network)
        return f"{IPv4Address(number)}/{network.prefixlen}"

    def address_in(self, network: Network, site: SiteId) -> str:
        """As `allocate_address`, but at a site with `member_prefix` from the network's own blocks there:
        the lowest free address of the lowest block that has one, or of a new block, whose first address
        becomes its gateway. Raises the same."""
        described = self.site(site)
        if described.member_prefix is None:
            return self.allocate_address(site)
        blocks = self._connection.execute(select(subnets).where(subnets.c.site_id == site)).all()
        own = [block for block in blocks if block.network_id == network.id]
        for block in sorted(own, key=lambda block: IPv4Network(block.addresses)):
            addresses = IPv4Network(block.addresses)
            number = self._free(site, addresses, (IPv4Address(block.gateway),))
            if number is not None:
                self._claim(site, block.addresses)
                return f"{IPv4Address(number)}/{addresses.prefixlen}"
        new = self._add_block(network, described, (IPv4Network(b.addresses) for b in blocks))
        number = self._free(site, new.addresses, (new.gateway,))
        if number is None:
            raise _exhausted(site, new.addresses)
        return f"{IPv4Address(number)}/{new.addresses.prefixlen}"

    def add_block(self, network: Network, site: Site) -> Subnet:
        """One more for the network at the site, which has `member_prefix`. Raises `addresses-exhausted`."""
        taken = self._connection.scalars(
            select(subnets.c.addresses).where(subnets.c.site_id == site.id)
        )
        return self._add_block(network, site, [IPv4Network(block) for block in taken])

    def _add_block(self, network: Network, site: Site, taken: Iterable[IPv4Network]) -> Subnet:
        addresses = self._new_block(site, taken)
        block = Subnet(site.id, addresses, addresses[1])
        self._connection.execute(
            insert(subnets).values(
                site_id=site.id,
                addresses=str(addresses),
                gateway=str(block.gateway),
                network_id=network.id,
                claims=1,
            )
        )
        return block

    def _free(
        self, site: SiteId, network: IPv4Network, gateways: Iterable[IPv4Address]
    ) -> int | None:
        """Given out from now on."""
        used = self._given_addresses.get(site)
        if used is None:
            used = self._given_addresses[site] = {
                _number(address) for (address,) in rows_at_once(self._connection, _GIVEN, site=site)
            }
        kept = {int(network.network_address), int(network.broadcast_address)}
        kept.update(int(gateway) for gateway in gateways)
        for number in range(int(network.network_address), int(network.broadcast_address) + 1):
            if number not in used and number not in kept:
                used.add(number)
                return number
        return None

    def _claim(self, site: SiteId, addresses: str) -> None:
        claimed = self._connection.execute(
            update(subnets)
            .where(subnets.c.site_id == site, subnets.c.addresses == addresses)
            .values(claims=subnets.c.claims + 1)
        )
        if claimed.rowcount == 0:
            raise LostRace(f"the addresses {addresses}")

    def _new_block(self, site: Site, taken: Iterable[IPv4Network]) -> IPv4Network:
        """The lowest block of the site's size that overlaps none and leaves its router alone. The
        site's description stays until this transaction ends, so that another size of block can't be
        given out beside it."""
        self._hold("site", tables.sites, site.id)
        guests, router = guest_network(site), guest_gateway(site)
        size = 2 ** (32 - (site.member_prefix or guests.prefixlen))
        occupied = sorted((int(b.network_address), int(b.broadcast_address)) for b in taken)
        if router is not None:
            occupied = sorted([*occupied, (int(router), int(router))])
        start, end = int(guests.network_address), int(guests.broadcast_address)
        for first, last in occupied:
            if start + size - 1 < first:
                break
            if last >= start:
                # The next multiple of the size behind what is taken.
                start += (last - start) // size * size + size
        if start + size - 1 > end:
            raise _no_block_left(site, guests)
        return IPv4Network((start, 32 - (size - 1).bit_length()))


def _exhausted(site: SiteId, network: IPv4Network) -> YuiError:
    return YuiError(
        "addresses-exhausted",
        en=f"Site '{site}' has no free address left in {network}: remove servers, or give a new site a larger guest network.",
        ja=f"サイト「{site}」の {network} に空きアドレスがありません。不要なサーバーを取り除くか、より大きなゲストネットワークのサイトを追加してください。",
        status=409,
        fields={"site": site, "guest_network": str(network)},
    )


def _no_block_left(site: Site, guests: IPv4Network) -> YuiError:
    return YuiError(
        "addresses-exhausted",
        en=f"Site '{site.id}' has no block of /{site.member_prefix} left in {guests} for another network of a member: remove servers, give it a larger member_prefix, or add a site with a larger guest network.",
        ja=f"サイト「{site.id}」の {guests} には、参加団体のネットワークに割り当てる /{site.member_prefix} の空きがありません。不要なサーバーを取り除くか、member_prefix を大きくするか、より大きなゲストネットワークのサイトを追加してください。",
        status=409,
        fields={
            "site": site.id,
            "guest_network": str(guests),
            "member_prefix": site.member_prefix,
        },
    )


def _number(address: str) -> int:
    """As `int(IPv4Interface(address).ip)`, of which two thousand would take longer than the plan."""
    return int.from_bytes(inet_aton(address.partition("/")[0]), "big")

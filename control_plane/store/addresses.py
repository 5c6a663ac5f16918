"""IPv4 addresses for servers, from the guest network of the site that holds their storage."""

from __future__ import annotations

from ipaddress import IPv4Address
from socket import inet_aton

from sqlalchemy import select

from control_plane.model.errors import YuiError
from control_plane.model.ids import SiteId
from control_plane.store import tables
from control_plane.store.regions import RegionReads, guest_gateway, guest_network


class AddressWrites(RegionReads):
    def allocate_address(self, site: SiteId) -> str:
        """The lowest free address of the site, such as `10.77.16.5/24`, never the network's own,
        its gateway's or its broadcast address.

        It is held once a server that carries it is added in this transaction; of two transactions
        that were given the same one, the second loses its race. Raises `site-not-found`,
        `guest-network-invalid`, `addresses-exhausted`.
        """
        description = self.site(site)
        network = guest_network(description)
        used = self._given_addresses.get(site)
        if used is None:
            used = self._given_addresses[site] = {
                _number(address)
                for address in self._connection.scalars(
                    select(tables.servers.c.address).where(tables.servers.c.site_id == site)
                )
            }
        kept = {int(network.network_address), int(network.broadcast_address)}
        gateway = guest_gateway(description)
        if gateway is not None:
            kept.add(int(gateway))
        for number in range(int(network.network_address), int(network.broadcast_address) + 1):
            if number not in used and number not in kept:
                used.add(number)
                return f"{IPv4Address(number)}/{network.prefixlen}"
        raise YuiError(
            "addresses-exhausted",
            en=f"Site '{site}' has no free address left in {network}: remove servers, or give a new site a larger guest network.",
            ja=f"サイト「{site}」の {network} に空きアドレスがありません。不要なサーバーを取り除くか、より大きなゲストネットワークのサイトを追加してください。",
            status=409,
            fields={"site": site, "guest_network": str(network)},
        )


def _number(address: str) -> int:
    """As `int(IPv4Interface(address).ip)`, of which two thousand would take longer than the plan."""
    return int.from_bytes(inet_aton(address.partition("/")[0]), "big")

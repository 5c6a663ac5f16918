"""Networks that members ask for themselves: with addresses of their own before there is a server."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, select, update

from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation
from control_plane.model.network import Network
from control_plane.store import tables
from control_plane.store.addresses import AddressWrites
from control_plane.store.failures import LostRace
from control_plane.store.network_tables import networks, subnets


class ReservedNetworkWrites(AddressWrites):
    def reserve_network(self, network: Network) -> Network:
        """The network with a block of its own at every site of its region that has one left, as far as
        sites give blocks; it keeps them. Raises `addresses-exhausted` where no site has any."""
        refused = None
        subnets_before = {subnet.site for subnet in network.subnets}
        given = set(subnets_before)
        for site in self.sites(network.region):
            if site.member_prefix is None or site.id in subnets_before:
                continue
            try:
                self.add_block(network, site)
                given.add(site.id)
            except YuiError as error:
                if error.type != "addresses-exhausted":
                    raise
                refused = error
        if refused is not None and not given:
            raise refused
        self.save_network(replace(network, reserved=True))
        return self.network(network.id)

    def save_network(self, network: Network) -> Network:
        """Its name, and whether it is reserved; answers it with the next generation. Raises LostRace when
        it has moved on since it was read."""
        saved = replace(network, generation=Generation(network.generation + 1))
        written = self._connection.execute(
            update(networks)
            .where(networks.c.id == network.id, networks.c.generation == network.generation)
            .values(name=saved.name, reserved=saved.reserved, generation=saved.generation)
        )
        if written.rowcount == 0:
            raise LostRace(f"network {network.id}")
        return saved

    def remove_network(self, network: Network) -> None:
        """With its blocks; its segment is never given again. Whoever asks has claimed what the member has
        of the region, and made sure that no server is in the network. Raises LostRace when it has moved
        on since it was read."""
        self._connection.execute(delete(subnets).where(subnets.c.network_id == network.id))
        gone = self._connection.execute(
            delete(networks).where(
                networks.c.id == network.id, networks.c.generation == network.generation
            )
        )
        if gone.rowcount == 0:
            raise LostRace(f"network {network.id}")

    def servers_in_network(self, network: Network) -> tuple[str, ...]:
        """The names of those that it was made for, also while they are being deleted."""
        of = tables.servers.c
        query = (
            select(of.name)
            .where(
                of.tenant == network.tenant.text,
                of.region_id == network.region,
                of.zone == network.zone.value,
            )
            .order_by(of.name)
        )
        return tuple(self._connection.scalars(query))

"""What the routes of Network read of a member in a region, once for each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Never

from control_plane.model.ids import NetworkId, RegionId, SecurityGroupId, ServerId
from control_plane.model.network import DEFAULT_GROUP, Network
from control_plane.model.pool import Site
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server
from control_plane.store import Snapshot
from control_plane.store.rows import not_found
from tenants.openstack_api.network.derived import ShownSubnet, server_of_port, subnets_of
from tenants.openstack_api.network.missing import missing
from tenants.openstack_api.network.views import View, network_view, port_view, subnet_view


@dataclass(frozen=True)
class Facts:
    """Of one member and region. Nothing of others' is in it."""

    tx: Snapshot
    tenant: MunicipalityCode
    region: RegionId

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        return tuple(n for n in self.tx.networks(self.tenant) if n.region == self.region)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        return self.tx.sites(self.region)

    @cached_property
    def subnets(self) -> Mapping[NetworkId, Sequence[ShownSubnet]]:
        return {n.id: tuple(subnets_of(n, self.sites)) for n in self.networks}

    def network_views(self) -> list[View]:
        return [network_view(n, self.subnets[n.id]) for n in self.networks]

    def subnet_views(self) -> list[View]:
        return [subnet_view(one) for n in self.networks for one in self.subnets[n.id]]

    def port_views(self) -> list[View]:
        servers = self.tx.servers(self.tenant, region=self.region)
        return list(self._ports(servers, self.tx.groups_of_servers({s.id for s in servers})))

    def network(self, id: str) -> Network:
        """Raises `network-not-found`."""
        found = self.tx.network(NetworkId(id), self.tenant)
        if found.region != self.region:
            raise not_found("network", id)
        return found

    def network_view(self, id: str) -> View:
        """Raises `network-not-found`."""
        found = self.network(id)
        return network_view(found, self.subnets[found.id])

    def subnet_view(self, id: str) -> View:
        """Raises `subnet-not-found`."""
        return next((s for s in self.subnet_views() if s["id"] == id), None) or _missing(
            "subnet", id
        )

    def server_of_port(self, id: str) -> Server:
        """Raises `port-not-found`."""
        sought = server_of_port(id)
        found = {} if sought is None else self.tx.servers_among({sought})
        for server in found.values():
            if server.tenant == self.tenant and self._site_of(server) is not None:
                return server
        return _missing("port", id)

    def port_view(self, id: str) -> View:
        """Raises `port-not-found`."""
        server = self.server_of_port(id)
        shown = self._ports([server], self.tx.groups_of_servers({server.id}))
        return next(iter(shown), None) or _missing("port", id)

    @cached_property
    def _homes(self) -> Mapping[str, str]:
        return {pool.id: site.id for site in self.sites for pool in site.storage_pools}

    def _site_of(self, server: Server) -> str | None:
        """None for one of another region."""
        return self._homes.get(server.storage)

    def _ports(
        self, servers: Sequence[Server], worn: Mapping[ServerId, frozenset[SecurityGroupId]]
    ) -> list[View]:
        default = [g.id for g in self.tx.security_groups(self.tenant) if g.name == DEFAULT_GROUP]
        of_zone = {network.zone: network for network in self.networks}
        shown = []
        for server in servers:
            network, site = of_zone.get(server.zone), self._site_of(server)
            if network is not None and site is not None:
                groups = sorted(worn.get(server.id, default))
                shown.append(port_view(server, network, self.subnets[network.id], site, groups))
        return shown


def _missing(thing: str, id: str) -> Never:
    raise missing(thing, id)

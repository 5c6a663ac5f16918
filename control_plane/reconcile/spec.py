"""Turns a server as the store has it into what a hypervisor driver needs to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from control_plane.drivers.protocol import ServerSpec, VolumeSpec
from control_plane.model.addressing import mac_of
from control_plane.model.ids import ImageId, RegionId, StoragePoolId
from control_plane.model.image import Image
from control_plane.model.network import Network
from control_plane.model.pool import Site, Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What servers refer to: images by id, the site of each storage pool, and members' networks."""

    images: Mapping[ImageId, Image]
    sites: Mapping[StoragePoolId, Site]
    networks: Mapping[tuple[MunicipalityCode, RegionId, Zone], Network] = field(
        default_factory=dict
    )

    def spec_of(self, server: Server, user_data: str = "") -> ServerSpec:
        site = self.sites[server.storage]
        network = self.networks.get((server.tenant, site.region, server.zone))
        path = next(pool.path for pool in site.storage_pools if pool.id == server.storage)
        return ServerSpec(
            id=server.id,
            name=server.name,
            generation=server.generation,
            size=server.size,
            volume=VolumeSpec(server.storage, path, server.disk, server.disk_build),
            image=self.images[server.image],
            zone=server.zone,
            mac=mac_of(server.id),
            address=server.address,
            gateway=_gateway(server, site, network),
            user_data=user_data,
            segment=0 if network is None else network.segment,
        )


def _gateway(server: Server, site: Site, network: Network | None) -> str | None:
    """Its subnet's, or the site's where all share the guest network."""
    address = IPv4Interface(server.address).ip
    for subnet in () if network is None else network.subnets:
        if address in subnet.addresses:
            return str(subnet.gateway)
    return site.guest_gateway

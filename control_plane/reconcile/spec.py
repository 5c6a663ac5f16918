"""Turns a server as the store has it into what a hypervisor driver needs to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from control_plane.drivers.disks import DataVolumeSpec, SnapshotSpec, VolumeSpec
from control_plane.drivers.protocol import ServerSpec
from control_plane.model.addressing import mac_of
from control_plane.model.ids import ImageId, RegionId, StoragePoolId
from control_plane.model.image import Image
from control_plane.model.network import Network
from control_plane.model.pool import Site, Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.volume import ServerSnapshot, Unattached, Volume
from control_plane.model.workload import Server
from control_plane.reconcile.disks import Disks


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What servers refer to: images by id, the site of each storage pool, members' networks, and
    the disks that servers have beside their root disks."""

    images: Mapping[ImageId, Image]
    sites: Mapping[StoragePoolId, Site]
    networks: Mapping[tuple[MunicipalityCode, RegionId, Zone], Network] = field(
        default_factory=dict
    )

    disks: Disks = field(default_factory=Disks)

    def path_of(self, pool: StoragePoolId) -> str:
        """Its directory on every host that reaches it."""
        return next(each.path for each in self.sites[pool].storage_pools if each.id == pool)

    def volume_spec(self, volume: Volume) -> DataVolumeSpec:
        at = volume.attachment
        return DataVolumeSpec(
            volume.id,
            volume.storage,
            self.path_of(volume.storage),
            volume.size,
            0 if isinstance(at, Unattached) else at.order,
            volume.build,
            volume.leans_on,
        )

    def snapshot_spec(self, snapshot: ServerSnapshot) -> SnapshotSpec:
        disks = tuple(disk.volume for disk in snapshot.disks if disk.volume is not None)
        return SnapshotSpec(snapshot.id, snapshot.storage, self.path_of(snapshot.storage), disks)

    def spec_of(
        self, server: Server, user_data: str = "", public_keys: tuple[str, ...] = ()
    ) -> ServerSpec:
        site = self.sites[server.storage]
        network = self.networks.get((server.tenant, site.region, server.zone))
        path = self.path_of(server.storage)
        return ServerSpec(
            id=server.id,
            name=server.name,
            generation=server.generation,
            size=server.size,
            volume=VolumeSpec(
                server.storage, path, server.disk, server.disk_build, server.leans_on
            ),
            image=self.images[server.image],
            zone=server.zone,
            mac=mac_of(server.id),
            address=server.address,
            gateway=_gateway(server, site, network),
            user_data=user_data,
            segment=0 if network is None else network.segment,
            data_volumes=tuple(map(self.volume_spec, self.disks.wanted(server.id))),
            isolated=server.isolated,
            public_keys=public_keys,
        )


def _gateway(server: Server, site: Site, network: Network | None) -> str | None:
    """Its subnet's, or the site's where all share the guest network."""
    address = IPv4Interface(server.address).ip
    for subnet in () if network is None else network.subnets:
        if address in subnet.addresses:
            return str(subnet.gateway)
    return site.guest_gateway

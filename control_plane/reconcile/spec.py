"""Turns a server as the store has it into what a hypervisor driver needs to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.drivers.protocol import ServerSpec, VolumeSpec
from control_plane.model.addressing import mac_of
from control_plane.model.ids import ImageId, StoragePoolId
from control_plane.model.image import Image
from control_plane.model.pool import Site
from control_plane.model.workload import Server


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What servers refer to: images by id, and the site of each storage pool."""

    images: Mapping[ImageId, Image]
    sites: Mapping[StoragePoolId, Site]

    def spec_of(self, server: Server, user_data: str = "") -> ServerSpec:
        site = self.sites[server.storage]
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
            gateway=site.guest_gateway,
            user_data=user_data,
        )

"""What a recovery point holds of its system's container groups: their volumes, each as a disk.

A group is read by itself and let go again before servers' disks are: what stops it meanwhile must not last
as long as those take.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from backup.containers.volume_disk import VolumeDisk
from backup.keeper.trouble import NotWanted
from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.container_volumes import ContainerVolumes, NoPlatform, VolumeClaim
from control_plane.drivers.world import World
from control_plane.model.backup.work import Trouble
from control_plane.model.blueprint import System
from control_plane.model.container_group import ContainerGroup

_NAMED = 20


@dataclass(slots=True)
class HeldGroup:
    """Its volumes as disks, to be read now."""

    group: ContainerGroup
    claims: tuple[VolumeClaim, ...]
    disks: tuple[VolumeDisk, ...]
    held: Consistency

    @property
    def changed_files(self) -> int:
        return sum(disk.changing.files for disk in self.disks)

    @property
    def consistency(self) -> Consistency:
        """What somebody wrote while it was read was not held ready, whatever its command said."""
        if self.changed_files:
            return Consistency.CRASH
        return self.held

    def described(self, system: System) -> dict[str, Any]:
        """In JSON's types. Names of files are read by whoever has the keys."""
        return {
            "system": {
                "id": system.id,
                "name": system.name,
                "blueprint": system.blueprint,
                "blueprint_version": system.blueprint_version,
                "region": system.region,
                "zone": system.zone.value,
                "tier": system.tier,
            },
            "container_group": {
                "id": self.group.id,
                "name": self.group.name,
                "replicas": self.group.replicas,
                "zone": self.group.zone.value,
                "tier": self.group.tier,
                "containers": [
                    {
                        "name": each.name,
                        "image": each.image,
                        "vcpus": each.vcpus,
                        "memory_mib": each.memory,
                        "ports": list(each.ports),
                    }
                    for each in self.group.containers
                ],
            },
            "claims": [
                {
                    "name": claim.name,
                    "size_bytes": claim.size_bytes,
                    "storage_class": claim.storage_class,
                    "access_modes": list(claim.access_modes),
                    "format": "tar",
                    "files": disk.files,
                    "changed_while_read": disk.changing.files,
                    "of_these": [
                        name.decode("utf-8", "backslashreplace")
                        for name in disk.changing.named[:_NAMED]
                    ],
                }
                for claim, disk in zip(self.claims, self.disks, strict=True)
            ],
        }


def volumes_of(world: World, group: ContainerGroup) -> ContainerVolumes | None:
    """Where they are; None where the group runs nowhere, or keeps nothing. Raises DriverError."""
    try:
        volumes = world.container_volumes(group.region)
    except NoPlatform:
        return None
    return volumes if volumes.claims(group.tenant, group.id) else None


@contextmanager
def held_group(
    volumes: ContainerVolumes, group: ContainerGroup, *, quiesce: bool
) -> Iterator[HeldGroup]:
    """Raises HookFailed, DriverError."""
    with (
        volumes.reading(group.tenant, group.id, quiesce=quiesce) as reading,
        ExitStack() as opened,
    ):
        yield HeldGroup(
            group,
            tuple(each.claim for each in reading.volumes),
            tuple(opened.enter_context(VolumeDisk(each)) for each in reading.volumes),
            reading.consistency,
        )


def insist_on_something(world: World, system: System, groups: tuple[ContainerGroup, ...]) -> None:
    """Of a system without servers. Raises NotWanted, DriverError."""
    if any(volumes_of(world, each) is not None for each in groups):
        return
    raise NotWanted(
        Trouble(
            f"System {system.id} has no servers, and its container groups keep nothing yet.",
            f"システム {system.id} にはサーバーがなく、コンテナーグループが保存しているデータもまだありません。",
        )
    )

"""Container groups: what a member wants to run in containers rather than in servers.

Nothing in Yui runs containers yet. A group is kept, checked and shown as what it is: waiting for the
platform. It holds no room while it waits, so that no promise is made that nothing keeps; but it is
wanted, and so it counts against its member's quota.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.allotment import Capacity
from control_plane.model.ids import ContainerGroupId, Generation, RegionId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, Resources, VCpu

PLATFORM_TRAIT = "kubernetes"
"""What hosts are marked with that are to carry container groups."""


class ContainerGroupState(StrEnum):
    WAITING_FOR_PLATFORM = "waiting-for-platform"
    """It is on record and runs nowhere."""


@dataclass(frozen=True, slots=True)
class Container:
    """`image` names an OCI image by its digest, `registry/name@sha256:…`, so that it is the same for
    ever. `ports` are those that it listens on."""

    name: str
    image: str
    vcpus: VCpu
    memory: MiB
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerGroup:
    """Containers that run together on one host, in `replicas` copies of which no two share a host. Zone
    and tier are its system's."""

    id: ContainerGroupId
    tenant: MunicipalityCode
    system: SystemId
    region: RegionId
    name: str
    zone: Zone
    tier: int
    replicas: int
    containers: tuple[Container, ...]
    created_at: datetime
    generation: Generation = Generation(1)

    @property
    def size(self) -> Resources:
        """What one copy takes."""
        return Resources(
            VCpu(sum(container.vcpus for container in self.containers)),
            MiB(sum(container.memory for container in self.containers)),
        )

    @property
    def whole(self) -> Resources:
        """What all copies take."""
        return Resources(
            VCpu(self.replicas * self.size.vcpu), MiB(self.replicas * self.size.memory)
        )

    @property
    def counted(self) -> Capacity:
        """What counts against the quota: all copies, and no disk."""
        return Capacity.of(self.whole, GiB(0))

    @property
    def state(self) -> ContainerGroupState:
        return ContainerGroupState.WAITING_FOR_PLATFORM

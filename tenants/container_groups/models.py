"""Container groups, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from control_plane.http.bounds import Name, RequestBody, ResponseBody
from control_plane.model.container_group import Container, ContainerGroup, ContainerGroupState
from control_plane.model.units import MiB, VCpu

OciImage = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][a-z0-9.-]{0,200}(?::[0-9]{1,5})?(?:/[a-z0-9][a-z0-9._-]{0,127}){1,8}@sha256:[0-9a-f]{64}$",
        max_length=500,
    ),
    Field(description="An OCI image by its digest: `registry.example.jp/town/web@sha256:…`."),
]
Port = Annotated[int, Field(ge=1, le=65_535)]


class ContainerIn(RequestBody):
    name: Name
    image: OciImage
    vcpus: Annotated[int, Field(ge=1, le=256)]
    memory_mib: Annotated[int, Field(ge=16, le=4 * 1024 * 1024)]
    ports: Annotated[list[Port], Field(max_length=20, default_factory=list)]

    def container(self) -> Container:
        ports = tuple(sorted(set(self.ports)))
        return Container(self.name, self.image, VCpu(self.vcpus), MiB(self.memory_mib), ports)


class ContainerGroupChangeIn(RequestBody):
    """What is to run instead."""

    replicas: Annotated[int, Field(ge=1, le=50)] = 1
    containers: Annotated[list[ContainerIn], Field(min_length=1, max_length=10)]


class ContainerGroupIn(ContainerGroupChangeIn):
    """`containers` run together on one host, in `replicas` copies of which no two share a host. Zone and
    tier are those of `system`."""

    name: Name
    system: Name


class ContainerOut(ResponseBody):
    name: str
    image: str
    vcpus: int
    memory_mib: int
    ports: list[int]


class ContainerGroupOut(ResponseBody):
    """`state` is `waiting-for-platform` as long as nothing in the pool runs containers: the group is on
    record, runs nowhere, and holds no room; `vcpus` and `memory_mib`, of all copies, count against the
    member's quota."""

    id: str
    name: str
    tenant: str
    system: str
    region: str
    zone: str
    tier: int
    state: ContainerGroupState
    replicas: int
    vcpus: int
    memory_mib: int
    containers: list[ContainerOut]
    created_at: datetime
    generation: int

    @staticmethod
    def of(group: ContainerGroup) -> ContainerGroupOut:
        return ContainerGroupOut(
            id=group.id,
            name=group.name,
            tenant=group.tenant.text,
            system=group.system,
            region=group.region,
            zone=group.zone.value,
            tier=group.tier,
            state=group.state,
            replicas=group.replicas,
            vcpus=group.whole.vcpu,
            memory_mib=group.whole.memory,
            containers=[
                ContainerOut(
                    name=one.name,
                    image=one.image,
                    vcpus=one.vcpus,
                    memory_mib=one.memory,
                    ports=list(one.ports),
                )
                for one in group.containers
            ],
            created_at=group.created_at,
            generation=group.generation,
        )

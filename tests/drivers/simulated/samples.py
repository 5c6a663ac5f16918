"""Small hosts and servers for tests of the simulated World."""

from __future__ import annotations

from datetime import UTC, datetime

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.protocol import ServerSpec
from control_plane.drivers.simulated import SimulatedWorld, Timing
from control_plane.model.host_health import Up
from control_plane.model.ids import (
    Generation,
    HostId,
    ImageId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
)
from control_plane.model.image import Image, ImageFormat
from control_plane.model.pool import Endpoint, Host, StoragePool, Zone
from control_plane.model.units import GiB, MiB, Resources, VCpu

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
POOL = StoragePoolId("kyoto-pool")
IMAGE = Image(
    ImageId("tiny"),
    "tiny",
    "1",
    ImageFormat.QCOW2,
    "ab" * 32,
    1024,
    GiB(1),
    "/images/tiny",
    "test",
    EARLY,
)


def host(name: str, *, memory: int = 8192, pool: StoragePoolId = POOL) -> Host:
    return Host(
        HostId(name),
        SiteId("kyoto-dc"),
        RegionId("kyoto"),
        Resources(VCpu(16), MiB(memory)),
        frozenset(Zone),
        frozenset({pool}),
        Endpoint("simulated", f"simulated://{name}"),
        Up(EARLY),
    )


A, B, C = host("a"), host("b"), host("c")


def spec(
    name: str = "web", *, generation: int = 1, memory: int = 1024, disk: int = 10
) -> ServerSpec:
    return ServerSpec(
        ServerId(name),
        name,
        Generation(generation),
        Resources(VCpu(1), MiB(memory)),
        VolumeSpec(POOL, "/srv/kyoto", GiB(disk)),
        IMAGE,
        Zone.LGWAN,
        "5a:00:00:00:00:01",
        "10.77.16.5/24",
    )


def world(*hosts: Host, capacity: int = 500, timing: Timing | None = None) -> SimulatedWorld:
    return SimulatedWorld.from_hosts(
        hosts or (A, B, C), storage=[StoragePool(POOL, GiB(capacity), "/srv/kyoto")], timing=timing
    )


def bring_up(where: SimulatedWorld, on: Host, server: ServerSpec) -> None:
    driver = where.driver(on)
    driver.ensure_image(server.image)
    driver.ensure_volume(server)
    driver.define(server)
    driver.start(server.id)

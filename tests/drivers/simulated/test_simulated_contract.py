"""The simulated driver keeps every promise of the protocol, as the real one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.drivers.protocol import DataVolumeSpec, HostDriver, ServerSpec, SnapshotSpec
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.ids import ServerId, SnapshotId, VolumeId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint, Host
from control_plane.model.units import GiB, Resources, Seconds
from tests.drivers.contract import HostDriverContract
from tests.drivers.disk_contract import DiskContract
from tests.drivers.simulated.samples import IMAGE, POOL, A, B, spec, world


class TwoSimulatedHosts:
    greeting = "login:"

    def __init__(self) -> None:
        self._world: SimulatedWorld = world(A, B)
        self._made = 0
        self.first = self._world.driver(A)
        self.second = self._world.driver(B)

    @property
    def second_endpoint(self) -> Endpoint:
        return B.endpoint

    def spec(self, *, boots: bool = False) -> ServerSpec:
        self._made += 1
        made = spec(f"server-{self._made}")
        if not boots:
            self._world.make_guest_deaf(made.id)
        return made

    def corrupt_image(self) -> Image:
        image = replace(IMAGE, location="/images/other", sha256="cd" * 32)
        self._world.image_files[image.location] = "ef" * 32
        return image

    def write_on(self, spec: ServerSpec) -> None:
        volume = self._world.volume(spec.id)
        assert volume is not None
        volume.notes.append("a trace")

    def is_written_on(self, spec: ServerSpec) -> bool:
        return "a trace" in self._world.notes(spec.id)

    def is_written_in(self, exported: bytes) -> bool:
        return b"a trace" in exported

    def data_volume(self, order: int = 0) -> DataVolumeSpec:
        self._made += 1
        return DataVolumeSpec(
            VolumeId(f"vol-{self._made}"), POOL, "/srv/kyoto", GiB(1), order=order
        )

    def snapshot_of(self, spec: ServerSpec) -> SnapshotSpec:
        self._made += 1
        disks = tuple(volume.id for volume in spec.data_volumes)
        return SnapshotSpec(SnapshotId(f"snap-{self._made}"), POOL, "/srv/kyoto", disks)

    def write_on_volume(self, volume: DataVolumeSpec) -> None:
        found = self._world.data_volume(volume.id)
        assert found is not None
        assert found.opened_by is None
        found.notes.append("a trace")

    def is_written_on_volume(self, volume: DataVolumeSpec) -> bool:
        found = self._world.data_volume(volume.id)
        return found is not None and "a trace" in found.notes

    def disk_size(self, spec: ServerSpec) -> GiB:
        volume = self._world.volume(spec.id)
        assert volume is not None
        return volume.size

    def running_size(self, driver: HostDriver, server: ServerId) -> Resources:
        host: Host = A if driver is self.first else B
        assert self._world.hosts_running(server) == (host.id,)
        return self._world.machines[host.id].definitions[server].size

    def silence_first(self) -> None:
        self._world.cut_network(A.id)

    def hear_first(self) -> None:
        self._world.restore_network(A.id)

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(300):
            if condition():
                return
            self._world.clock.sleep(Seconds(1))
        pytest.fail("it did not happen within five minutes of virtual time")


class TestSimulatedDriver(HostDriverContract, DiskContract):
    @pytest.fixture
    def hosts(self) -> TwoSimulatedHosts:
        return TwoSimulatedHosts()

"""The simulated driver keeps every promise of the protocol, as the real one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.drivers.backup_source import ROOT_DISK
from control_plane.drivers.disk_exports import DiskExports
from control_plane.drivers.disks import DataVolumeSpec, SnapshotSpec
from control_plane.drivers.protocol import HostDriver, ServerSpec
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.programs import Program
from control_plane.drivers.simulated.storage import DataVolume, Volume
from control_plane.model.ids import ServerId, SnapshotId, VolumeId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint, Host
from control_plane.model.units import GiB, Resources, Seconds
from tests.drivers.backup_contract import UNIT, BackupContract, Content, units_of
from tests.drivers.contract import HostDriverContract, launch
from tests.drivers.disk_contract import DiskContract
from tests.drivers.hook_contract import HookContract
from tests.drivers.probe_contract import ProbeContract
from tests.drivers.simulated.samples import IMAGE, POOL, A, B, spec, world


class TwoSimulatedHosts:
    greeting = "login:"

    def __init__(self) -> None:
        self._world: SimulatedWorld = world(A, B)
        self._made = 0
        self._traces: list[str] = []
        self.first = self._world.driver(A)
        self.second = self._world.driver(B)

    def exports(self) -> DiskExports:
        return self._world.disk_exports()

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

    def volume_size(self, volume: DataVolumeSpec) -> GiB:
        found = self._world.data_volume(volume.id)
        assert found is not None
        return found.size

    def keys_told(self, spec: ServerSpec) -> tuple[str, ...]:
        return self._world.machines[A.id].definitions[spec.id].public_keys

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

    def boot(self, driver: HostDriver, spec: ServerSpec) -> None:
        for volume in spec.data_volumes:
            driver.ensure_data_volume(volume)
        launch(driver, spec)
        self.until(lambda: self._world.answering(spec.id))

    def tell(self, spec: ServerSpec, text: str) -> None:
        self._world.clock.sleep(Seconds(7))
        self._world.write_note(spec.id, text)

    def as_it_is(self, spec: ServerSpec) -> dict[str, Content]:
        """The layout that disk_content describes, put together in another way."""
        root = self._world.volume(spec.id)
        assert root is not None
        self._world.records(spec.id)
        disks = {ROOT_DISK: self._laid_out(root, f"{spec.id} of {root.image}", root.records)}
        for each in spec.data_volumes:
            volume = self._world.data_volume(each.id)
            assert volume is not None
            disks[each.id] = self._laid_out(volume, each.id, 0)
        return disks

    @staticmethod
    def _laid_out(disk: Volume | DataVolume, label: str, records: int) -> Content:
        log = "".join(f"record {number}\n".ljust(64) for number in range(records)).encode()
        told = b"".join(note.encode().ljust(4096, b"\0") for note in disk.notes)
        parts = {0: f"{label} build {disk.build}".encode(), 2**20: log, disk.size * 2**29: told}
        return units_of(
            (at, part.ljust(-(-len(part) // UNIT) * UNIT, b"\0")) for at, part in parts.items()
        )

    def hold(self, driver: HostDriver, spec: ServerSpec) -> None:
        self._machine(driver).pause_guest(spec.id)

    def go_on(self, driver: HostDriver, spec: ServerSpec) -> None:
        self._machine(driver).unpause(spec.id)

    def cut_off(self, spec: ServerSpec) -> None:
        self._world.crash_guest(spec.id)

    def boot_with_agent(self, driver: HostDriver) -> ServerSpec:
        spec = self.spec(boots=True)
        self.boot(driver, spec)
        hooks = {
            "dump": Program(
                Seconds(1), b"Dumping.\n3 tables.\n\n", does=lambda: self._traces.append("dumped")
            ),
            "breaks": Program(Seconds(0), b"fine\ndisk \x1b[31m full\x07\n", 3),
            "chatters": Program(Seconds(1), b"very long\n" * 1000 + b"the end\n"),
            "lingers": Program(Seconds(10**9), does=lambda: self._traces.append("lingering")),
        }
        self._world.programs.update({(spec.id, name): each for name, each in hooks.items()})
        return spec

    def traces(self, spec: ServerSpec) -> list[str]:  # noqa: ARG002
        return list(self._traces)

    def wait(self, seconds: Seconds) -> None:
        self._world.clock.sleep(seconds)

    def _machine(self, driver: HostDriver) -> Machine:
        return self._world.machines[(A if driver is self.first else B).id]


class TestSimulatedDriver(
    HostDriverContract, DiskContract, BackupContract, HookContract, ProbeContract
):
    @pytest.fixture
    def hosts(self) -> TwoSimulatedHosts:
        return TwoSimulatedHosts()

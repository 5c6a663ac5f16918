"""The surroundings of two real hosts, in the shape that the contract asks for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO

import httpx
import libvirt
import pytest
import yaml

from control_plane.drivers.backup_source import ROOT_DISK
from control_plane.drivers.disks import DataVolumeSpec, SnapshotSpec, VolumeSpec
from control_plane.drivers.libvirt import LibvirtDriver
from control_plane.drivers.protocol import (
    DriverError,
    HostDriver,
    HostUnreachable,
    NoSuchServer,
    RunState,
    ServerSpec,
)
from control_plane.model.ids import (
    Generation,
    HostId,
    ImageId,
    ServerId,
    SnapshotId,
    StoragePoolId,
    VolumeId,
)
from control_plane.model.image import Image, ImageFormat
from control_plane.model.pool import Endpoint, Zone
from control_plane.model.units import GiB, MiB, Resources, Seconds, VCpu
from deploy.local import LocalPool
from tests.drivers.backup_contract import UNIT, Content, units_of
from tests.drivers.contract import launch, state

_NUMBERS = count(1)
_PATIENCE = Seconds(120.0)
_TRACE = "0xa7"
_PLACE = "512k"


def empty_image(folder: Path) -> Image:
    """A disk with nothing on it: what runs from it runs, as far as a hypervisor can tell."""
    path = folder / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    return catalogued("empty", path)


def catalogued(name: str, path: Path) -> Image:
    content = path.read_bytes()
    return Image(
        ImageId(name),
        name,
        "1",
        ImageFormat.QCOW2,
        hashlib.sha256(content).hexdigest(),
        len(content),
        GiB(1),
        str(path),
        "made by a test",
        datetime(2026, 1, 1, tzinfo=UTC),
    )


@dataclass
class LibvirtHosts:
    pool: LocalPool
    first: LibvirtDriver
    second: LibvirtDriver
    first_endpoint: Endpoint
    second_endpoint: Endpoint
    empty: Image
    tiny: Callable[[], Image]
    scratch: Path
    greeting: str = "HTTP answers on"
    _made: list[ServerSpec] = field(default_factory=list)
    _volumes: list[DataVolumeSpec] = field(default_factory=list)
    _snapshots: list[SnapshotSpec] = field(default_factory=list)

    def spec(self, *, boots: bool = False) -> ServerSpec:
        number = next(_NUMBERS)
        site = self.pool.sites[0]
        gateway = self.pool.describe()["sites"][0]["guest_gateway"]
        network = gateway.rpartition(".")[0]
        spec = ServerSpec(
            ServerId(f"server-{number}"),
            f"db-{number}",
            Generation(1),
            Resources(VCpu(1), MiB(128 if boots else 64)),
            VolumeSpec(StoragePoolId("kyoto-dc-pool"), str(self.pool.storage(site.id)), GiB(1)),
            self.tiny() if boots else self.empty,
            Zone.LGWAN,
            f"52:54:00:00:00:{number:02x}",
            f"{network}.{number + 10}/24",
            gateway,
        )
        self._made.append(spec)
        return spec

    def corrupt_image(self) -> Image:
        path = self.scratch / "corrupt.qcow2"
        content = bytearray(Path(self.empty.location).read_bytes())
        content[-1] ^= 0xFF
        path.write_bytes(content)
        return replace(self.empty, id=ImageId("corrupt"), sha256="0" * 64, location=str(path))

    def root_of(self, spec: ServerSpec) -> Path:
        build = spec.volume.build
        name = f"root-{build}.qcow2" if build else "root.qcow2"
        return Path(spec.volume.pool_path) / spec.id / name

    def keys_told(self, spec: ServerSpec) -> tuple[str, ...]:
        seed = Path(spec.volume.pool_path) / spec.id / "seed.iso"
        copy, found = self.scratch / "seed.iso", self.scratch / "meta-data"
        copy.write_bytes(seed.read_bytes())
        found.unlink(missing_ok=True)
        subprocess.run(
            # Nothing but a file, wherever it lies.
            [
                "xorriso",
                "-osirrox",
                "on",
                "-indev",
                f"stdio:{copy}",
                "-extract",
                "/meta-data",
                found,
            ],
            check=True,
            capture_output=True,
        )
        return tuple(yaml.safe_load(found.read_text()).get("public-keys", ()))

    def disk_size(self, spec: ServerSpec) -> GiB:
        return _virtual_size(self.root_of(spec))

    def data_volume(self, order: int = 0) -> DataVolumeSpec:
        site = self.pool.sites[0]
        made = DataVolumeSpec(
            VolumeId(f"vol-{next(_NUMBERS)}"),
            StoragePoolId("kyoto-dc-pool"),
            str(self.pool.storage(site.id)),
            GiB(1),
            order,
        )
        self._volumes.append(made)
        return made

    def snapshot_of(self, spec: ServerSpec) -> SnapshotSpec:
        disks = tuple(volume.id for volume in spec.data_volumes)
        made = SnapshotSpec(
            SnapshotId(f"snap-{next(_NUMBERS)}"), spec.volume.pool, spec.volume.pool_path, disks
        )
        self._snapshots.append(made)
        return made

    def write_on_volume(self, volume: DataVolumeSpec) -> None:
        _write(_data_of(volume))

    def is_written_on_volume(self, volume: DataVolumeSpec) -> bool:
        return _is_written(_data_of(volume))

    def volume_size(self, volume: DataVolumeSpec) -> GiB:
        return _virtual_size(_data_of(volume))

    def write_on(self, spec: ServerSpec) -> None:
        _write(self.root_of(spec))

    def is_written_on(self, spec: ServerSpec) -> bool:
        return _is_written(self.root_of(spec))

    def is_written_in(self, exported: bytes) -> bool:
        file = self.scratch / "exported.qcow2"
        file.write_bytes(exported)
        subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", file], check=True)
        return _is_written(file)

    def boot(self, driver: HostDriver, spec: ServerSpec) -> None:
        """Its console goes on where it was the last time."""
        before = self._greetings(driver, spec)
        launch(driver, spec)
        self.until(lambda: self._greetings(driver, spec) > before)

    def _greetings(self, driver: HostDriver, spec: ServerSpec) -> int:
        with contextlib.suppress(NoSuchServer):
            return driver.console(spec.id, 64 * 1024).count(self.greeting)
        return 0

    def switch_on(self, host: HostId) -> None:
        """Its libvirt takes connections some time before it answers."""
        self.pool.power_on(host)
        driver = self.first if host == self.pool.hosts[0].id else self.second
        self.until(lambda: _answers(driver))

    def tell(self, spec: ServerSpec, text: str) -> None:
        address = spec.address.split("/")[0]
        told = httpx.post(f"http://{address}/records", content=text, timeout=60, trust_env=False)
        assert told.status_code == httpx.codes.CREATED

    def as_it_is(self, spec: ServerSpec) -> dict[str, Content]:
        """As qemu-img reads the files."""
        files = {ROOT_DISK: self.root_of(spec)}
        files |= {str(volume.id): _data_of(volume) for volume in spec.data_volumes}
        return {name: self._read(file) for name, file in files.items()}

    def _read(self, file: Path) -> Content:
        raw = self.scratch / "as-it-is.raw"
        convert = ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", file, raw]
        subprocess.run(convert, check=True)
        with raw.open("rb") as copy:
            return units_of((at, data) for at, data in _pieces(copy))

    def hold(self, driver: HostDriver, spec: ServerSpec) -> None:
        self.on_machine(driver, spec, lambda domain: domain.suspend())

    def go_on(self, driver: HostDriver, spec: ServerSpec) -> None:
        self.on_machine(driver, spec, lambda domain: domain.resume())

    def cut_off(self, spec: ServerSpec) -> None:
        for process in self.hypervisors_of(spec):
            os.kill(process, signal.SIGKILL)
        self.until(lambda: state(self.first, spec) is RunState.STOPPED)

    def hypervisors_of(self, spec: ServerSpec) -> list[int]:
        """The processes that run this very server."""
        guest = f"guest={spec.id},".encode()
        own = str(spec.volume.pool_path).encode()
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                said = (folder / "cmdline").read_bytes()
                if guest in said and own in said:
                    found.append(int(folder.name))
        return found

    def on_machine(
        self, driver: HostDriver, spec: ServerSpec, do: Callable[[libvirt.virDomain], object]
    ) -> None:
        """Past the driver."""
        endpoint = self.first_endpoint if driver is self.first else self.second_endpoint
        connection = libvirt.open(endpoint.uri)
        try:
            do(connection.lookupByName(spec.id))
        finally:
            connection.close()

    def running_size(self, driver: HostDriver, server: ServerId) -> Resources:
        endpoint = self.first_endpoint if driver is self.first else self.second_endpoint
        connection = libvirt.open(endpoint.uri)
        try:
            domain = connection.lookupByName(server)
            vcpus = domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE)
            return Resources(VCpu(vcpus), MiB(domain.info()[2] // 1024))
        finally:
            connection.close()

    def silence_first(self) -> None:
        self.pool.cut_network(self.pool.hosts[0].id)

    def hear_first(self) -> None:
        self.pool.join_network(self.pool.hosts[0].id)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail("what was awaited did not come")
            time.sleep(0.1)

    def clear(self) -> None:
        for driver in (self.first, self.second):
            for server in driver.list_servers():
                driver.destroy(server.id, server.generation)
                driver.undefine(server.id, server.generation)
        for spec in self._made:
            with contextlib.suppress(DriverError):
                self.first.remove_volume(spec.id, spec.volume)
        for volume in self._volumes:
            with contextlib.suppress(DriverError):
                self.first.remove_data_volume(volume)
        for snapshot in self._snapshots:
            with contextlib.suppress(DriverError):
                self.first.remove_snapshot(snapshot)
        self.first.close()
        self.second.close()


def _data_of(volume: DataVolumeSpec) -> Path:
    name = f"data-{volume.build}.qcow2" if volume.build else "data.qcow2"
    return Path(volume.pool_path) / f"volume.{volume.id}" / name


def _virtual_size(file: Path) -> GiB:
    shown = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", file], check=True, capture_output=True
    )
    return GiB(json.loads(shown.stdout)["virtual-size"] // 2**30)


def _pieces(raw: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Those units of a sparse file that are there."""
    end = raw.seek(0, os.SEEK_END)
    at = 0
    while at < end:
        try:
            at = os.lseek(raw.fileno(), at, os.SEEK_DATA) // UNIT * UNIT
        except OSError:
            return
        yield at, os.pread(raw.fileno(), UNIT, at)
        at += UNIT


def _write(disk: Path) -> None:
    command = f"write -P {_TRACE} {_PLACE} 512"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, disk], check=True, capture_output=True)


def _is_written(disk: Path) -> bool:
    done = subprocess.run(
        ["qemu-io", "-r", "-U", "-f", "qcow2", "-c", f"read -P {_TRACE} {_PLACE} 512", disk],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return True
    assert "Pattern verification failed" in done.stdout, done.stderr
    return False


def _answers(driver: HostDriver) -> bool:
    try:
        driver.facts()
    except HostUnreachable:
        return False
    return True

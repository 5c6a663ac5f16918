"""A real guest that wrote records is lost with its disk, and answers again with every one of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_interface
from pathlib import Path
from typing import TypeVar

import httpx
import libvirt
import pytest

from backup.keeper import Keeper
from backup.keeper.lines import Lines
from backup.keeper.timings import Timings
from backup.keeper.vaults import Vaults
from backup.objects.places import Places
from backup.records.runs import request_run
from backup.restore import Restores
from backup.restore.health import ConsoleSays, Look, Looks
from control_plane.drivers.nbd import NbdExports
from control_plane.drivers.real import RealWorld, Settings
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.backup.ids import BackupRunId, RepositoryId, RestoreId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPlace, BackupPolicy
from control_plane.model.backup.work import (
    BackupRun,
    Requested,
    Restored,
    RestoreJob,
    RestoreTarget,
    RestoreTo,
    Waiting,
)
from control_plane.model.health import HttpCheck
from control_plane.model.host_health import Up
from control_plane.model.hours import MinuteOfDay
from control_plane.model.ids import ImageId, RegionId, ServerId, SystemId
from control_plane.model.image import Image
from control_plane.model.pool import Zone
from control_plane.model.units import GiB, MiB, Seconds, VCpu
from control_plane.model.workload import Placed, Power, Seen, Server
from control_plane.pool_file import parse
from control_plane.reconcile.disks import Disks
from control_plane.reconcile.spec import Surroundings
from control_plane.store import Store
from control_plane.store.recovery_points import SetPolicy
from deploy.local import LocalFlavor, LocalPool
from images.build import BuiltImage
from tests.backup.keeper.stand import NoBlueprints
from tests.images.conftest import tiny  # noqa: F401 — the fixture
from tests.local.hosts import local_pool
from tests.scenarios.joining import MEMBER, join
from tests.scenarios.setting import ServerSetting, SystemSetting

pytestmark = pytest.mark.hypervisor

T = TypeVar("T")
DB = ServerId("residents-db")
RESIDENTS = SystemId("residents")
PATIENCE_S = 240
NIGHTLY = BackupPolicy(
    26,
    (BackupCopy(BackupInterval.DAY, 3, (BackupPlace.OTHER_REGION,), MinuteOfDay(23 * 60)),),
    test_every_days=None,
)


def until(so: Callable[[], T | None]) -> T:
    end = time.monotonic() + PATIENCE_S
    while not (found := so()):
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.2)
    return found


@dataclass
class Town:
    """Hosts, a state, a repository in a folder, and what looks after backups; servers are started here as
    the reconciler does it."""

    pool: LocalPool
    image: BuiltImage
    folder: Path
    disk_exports: NbdExports | None = None
    world: RealWorld = field(init=False)
    store: Store = field(init=False)
    keeper: Keeper = field(init=False)
    restores: Restores = field(init=False)

    def __post_init__(self) -> None:
        clock = SystemClock()
        self.world = RealWorld(
            Settings(), clock=clock, objects=Places(clock).open, disk_exports=self.disk_exports
        )
        self.store = Store.open(f"sqlite:///{self.folder / 'state.db'}")
        (self.folder / "repository.key").write_text("11" * 32)
        (self.folder / "repository").mkdir()
        flavor = LocalFlavor("small", VCpu(1), MiB(128), GiB(1))
        described = parse(json.dumps(self.pool.describe(flavors=[flavor])), "pool.json")
        with self.store.write() as tx:
            for region in described.regions:
                tx.put_region(region)
            for site in described.sites:
                tx.put_site(site)
            for each in described.flavors:
                tx.put_flavor(each)
            tx.put_image(self._image())
            tx.add_tenant(MEMBER)
            for host in described.hosts:
                tx.put_host_description(host.as_host(self.now()))
            place = f"file://{self.folder / 'repository'}"
            key = f"file:{self.folder / 'repository.key'}"
            tx.add_repository(Repository(RepositoryId("osaka"), "大阪", place, key, "大阪府"))
        with self.store.write() as tx:
            for known in tx.hosts():
                tx.save_host(replace(known, health=Up(self.now())))
        system = SystemSetting("residents", 0, Zone.LGWAN, (ServerSetting(DB, "db", "small"),))
        join(self.store, RegionId(described.regions[0].id), system, self.now())
        with self.store.write() as tx:
            tx.set_backup_policy(RESIDENTS, SetPolicy(NIGHTLY, "Sato", self.now()))
        timings = Timings(every=Seconds(0.5), progress=Seconds(0.5))
        self.keeper = Keeper(self.store, self.world, NoBlueprints(), "one", timings=timings)
        self.restores = Restores(
            self.store, self.world, Vaults(self.world), "one", timings, Lines(self.store, clock)
        )

    def close(self) -> None:
        self.keeper.give_up()
        with self.store.read() as tx:
            hosts = tx.hosts()
        for host in hosts:
            driver = self.world.driver(host)
            for machine in driver.list_servers():
                driver.destroy(machine.id, machine.generation)
                driver.undefine(machine.id, machine.generation)
        self.world.close()
        self.store.close()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def _image(self) -> Image:
        built = self.image
        return Image(
            ImageId("tiny"),
            built.name,
            built.version,
            built.format,
            built.sha256,
            built.size_bytes,
            built.virtual_size,
            str(built.path),
            built.provenance,
            self.now(),
        )

    def server(self, id: ServerId) -> Server:
        with self.store.read() as tx:
            return tx.server(id)

    def start(self, id: ServerId) -> None:
        with self.store.read() as tx:
            server = tx.server(id)
            sites = {pool.id: site for site in tx.sites() for pool in site.storage_pools}
            images = {image.id: image for image in tx.images()}
            networks = {(n.tenant, n.region, n.zone): n for n in tx.networks(server.tenant)}
            disks = Disks.of(tx.volumes(server.tenant), ())
            assert isinstance(server.placement, Placed)
            host = tx.host(server.placement.host)
        spec = Surroundings(images, sites, networks, disks).spec_of(server)
        driver = self.world.driver(host)
        driver.ensure_volume(spec)
        driver.define(spec)
        driver.start(id)
        with self.store.write() as tx:
            tx.set_seen(id, Seen.RUNNING)

    def console(self, server: Server) -> str:
        assert isinstance(server.placement, Placed)
        with self.store.read() as tx:
            host = tx.host(server.placement.host)
        return self.world.driver(host).console(server.id, 64 * 1024)

    def lose(self, id: ServerId) -> None:
        """The server and its disk, and whatever is known of it."""
        server = self.server(id)
        root = self.root(server)
        with self.store.read() as tx:
            hosts = tx.hosts()
        for host in hosts:
            driver = self.world.driver(host)
            for machine in driver.list_servers():
                if machine.id == id:
                    driver.destroy(id, machine.generation)
                    driver.undefine(id, machine.generation)
        for file in root.parent.iterdir():
            file.unlink()
        with self.store.write() as tx:
            tx.begin_removing_system(server.system)
            tx.remove_server(id)
            tx.remove_emptied_system(server.system)

    def root(self, server: Server) -> Path:
        build = server.disk_build
        name = f"root-{build}.qcow2" if build else "root.qcow2"
        return self.pool.storage(self.pool.sites[0].id) / server.id / name

    def frozen(self, server: Server) -> libvirt.virDomain:
        assert isinstance(server.placement, Placed)
        endpoint = self.pool.endpoint(server.placement.host)
        domain = libvirt.open(endpoint.uri).lookupByName(server.id)
        domain.suspend()
        return domain

    def ask(self, run: str = "br-1") -> None:
        with self.store.write() as tx:
            now = self.now()
            request_run(
                tx,
                BackupRun(
                    BackupRunId(run),
                    MEMBER.code,
                    RESIDENTS,
                    now,
                    Requested(now),
                    asked_by="Sato",
                ),
            )

    def point(self) -> RecoveryPointRecord | None:
        failures = self.keeper.tick()
        assert failures == []
        with self.store.read() as tx:
            return next((p for p in tx.recovery_points(live=True) if p.whole), None)

    def restored(
        self, point: RecoveryPointRecord, target: RestoreTarget, label: str = ""
    ) -> RestoreJob:
        id = RestoreId(f"rs-{target.to}{label}")
        with self.store.write() as tx:
            now = self.now()
            tx.add_restore(
                RestoreJob(id, MEMBER.code, point.id, RESIDENTS, target, "Sato", now, Waiting(now))
            )
        lease = self.store.acquire_lease("restores", "one", Seconds(3600), self.now())
        assert lease is not None

        def ended() -> RestoreJob | None:
            self.restores.settle(lease)
            self.restores.look(lease)
            self.restores.begin(lease)
            with self.store.read() as tx:
                job = tx.restore(id)
            return None if job.open or self.restores.busy else job

        job = until(ended)
        self.store.release_lease(lease)
        return job


def writes(server: Server, text: str) -> bool:
    address = ip_interface(server.address).ip
    with suppress(httpx.HTTPError):
        sent = httpx.post(f"http://{address}/records", content=text, timeout=5, trust_env=False)
        return sent.status_code == 201
    return False


def records(server: Server) -> list[str]:
    address = ip_interface(server.address).ip
    with suppress(httpx.HTTPError):
        answer = httpx.get(f"http://{address}/records", timeout=5, trust_env=False)
        found: list[str] = answer.json()["records"]
        return found
    return []


@pytest.fixture
def town(tiny: BuiltImage, tmp_path: Path) -> Iterator[Town]:  # noqa: F811
    with local_pool(tmp_path / "pool", accelerated=None) as pool:
        made = Town(pool, tiny, tmp_path)
        yield made
        made.close()


def same_bytes(one: Path, other: Path) -> None:
    formats = ("-f", one.suffix[1:], "-F", other.suffix[1:])
    subprocess.run(["qemu-img", "compare", "-q", *formats, one, other], check=True)


def test_a_server_that_was_lost_answers_again_with_every_record(town: Town, tmp_path: Path) -> None:
    server = town.server(DB)
    town.start(DB)
    until(lambda: writes(server, "moved in: Tanaka"))
    assert writes(server, "paid: Suzuki")
    domain = town.frozen(server)
    frozen = tmp_path / "frozen.raw"
    subprocess.run(
        ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", town.root(server), frozen],
        check=True,
    )
    town.ask()

    def is_read() -> bool:
        """From then on the guest writes again, and what it writes is not in the point."""
        town.keeper.tick()
        with suppress(libvirt.libvirtError):
            return bool(domain.backupGetXMLDesc(0))
        return town.point() is not None

    until(is_read)
    domain.resume()
    until(lambda: writes(server, "too late"))
    point = until(town.point)
    town.lose(DB)

    job = town.restored(point, RestoreTarget(RestoreTo.NEW, start=False))
    assert isinstance(job.standing, Restored), job
    with town.store.read() as tx:
        (made,) = tx.servers(system=job.made)
    assert made.power is Power.STOPPED
    assert not town.root(server).exists()
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", town.root(made)], check=True)
    same_bytes(town.root(made), frozen)
    town.start(made.id)
    until(lambda: records(made) == ["moved in: Tanaka", "paid: Suzuki"])
    assert writes(made, "back again")

    job = town.restored(point, RestoreTarget(RestoreTo.ISOLATED, start=False))
    assert isinstance(job.standing, Restored), job
    with town.store.read() as tx:
        (apart,) = tx.servers(system=job.made)
    town.start(apart.id)
    with town.store.read() as tx:
        hosts = {host.id: host for host in tx.hosts()}
    looks = Looks(
        town.world,
        hosts,
        ConsoleSays(),
        {apart.role: HttpCheck("/health", contains='"records":2')},
    )
    # It answers whoever proves that it was restored, with what it wrote before, and nobody else.
    until(lambda: looks.at(town.server(apart.id)) == Look("http", None))
    assert records(apart) == []
    assert records(made) == ["moved in: Tanaka", "paid: Suzuki", "back again"]

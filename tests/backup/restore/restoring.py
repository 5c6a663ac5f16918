"""A small pool in two regions whose systems are backed up, lost and restored, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from backup.keeper.lines import Lines
from backup.keeper.timings import Timings
from backup.keeper.vaults import Vaults
from backup.restore import Proving, Restores
from control_plane.drivers.container_volumes import VolumeClaim
from control_plane.drivers.simulated import Vantage
from control_plane.drivers.simulated.backups import content_of
from control_plane.drivers.simulated.container_volumes import (
    SimulatedGroup,
    SimulatedPlatform,
    SimulatedVolume,
)
from control_plane.drivers.simulated.disk_content import BLOCK, DiskContent
from control_plane.journal.operations import draw
from control_plane.model.backup.ids import RestoreId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import RestoreJob, RestoreTarget, RestoreTo, Waiting
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.ids import (
    ContainerGroupId,
    OperationId,
    RegionId,
    ServerId,
    SystemId,
    VolumeId,
)
from control_plane.model.operation import Operation, OperationState
from control_plane.model.pool import Zone
from control_plane.model.units import GiB, MiB, Seconds, VCpu
from control_plane.model.volume import Attached, Volume
from control_plane.model.workload import Power, Seen, Server
from control_plane.pool_file import parse
from control_plane.store import Lease
from tests.backup.keeper.stand import MEMBER, RESIDENTS, NoBlueprints
from tests.backup.keeper.test_copies_and_damage import OSAKA, TwoPlaces

DB = ServerId("residents-db")
APP = ServerId("residents-app")
LEDGER = VolumeId("vol-ledger")
ELSEWHERE = """
regions:
  - {id: osaka, name: 大阪, policy: spread, promised: [host], prefectures: [大阪府]}
sites:
  - id: osaka-dc
    region: osaka
    name: 大阪センター
    guest_network: 10.78.16.0/24
    storage_pools:
      - {id: osaka-pool, capacity: 500 GiB, path: /srv/yui/osaka}
hosts:
  - {id: osaka-1, site: osaka-dc, vcpus: 16, memory: 16 GiB, storage: [osaka-pool], connection: {driver: simulated, uri: "simulated://osaka-1"}}
  - {id: osaka-2, site: osaka-dc, vcpus: 16, memory: 16 GiB, storage: [osaka-pool], connection: {driver: simulated, uri: "simulated://osaka-2"}}
flavors:
  - {id: small, vcpus: 1, memory: 1 GiB, disk: 1 GiB}
"""
BRISKLY = Timings(retry_first=Seconds(10))


class Restoring(TwoPlaces):
    """`residents-db` has a volume of its own, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self._add_region()
        self._add_volume()
        self.process, self.restores = self.another_process("one")
        self.proving = self.prover()
        self._lease: Lease | None = None

    def _add_region(self) -> None:
        osaka = parse(ELSEWHERE, "osaka.yaml")
        for pool in osaka.sites[0].storage_pools:
            self.world.add_storage(pool)
        with self.store.write() as tx:
            tx.put_region(osaka.regions[0])
            tx.put_site(osaka.sites[0])
            for described in osaka.hosts:
                host = described.as_host(self.world.clock.now())
                self.world.machine(host)
                tx.put_host_description(host)
        self.until(self._hosts_are_up)

    def _add_volume(self) -> None:
        with self.store.write() as tx:
            server = tx.server(DB)
            tx.add_volume(
                Volume(
                    LEDGER,
                    MEMBER.code,
                    self.pool.regions[0].id,
                    "ledger",
                    GiB(1),
                    server.storage,
                    self.world.clock.now(),
                    Attached(DB, 0),
                )
            )
        self.until(lambda: self._plugged(DB))
        found = self.world.data_volume(LEDGER)
        assert found is not None
        found.notes.append("deposits of March")

    def _plugged(self, server: ServerId) -> bool:
        with self.store.read() as tx:
            return all(volume.plugged for volume in tx.volumes(server=server))

    # What there is

    def server(self, id: ServerId) -> Server:
        with self.store.read() as tx:
            return tx.server(id)

    def job(self, id: RestoreId) -> RestoreJob:
        with self.store.read() as tx:
            return tx.restore(id)

    def made(self, id: RestoreId) -> Mapping[str, Server]:
        """The servers that a restore has made, by role."""
        system = self.job(id).made
        assert system is not None
        with self.store.read() as tx:
            return {server.role: server for server in tx.servers(system=system)}

    def on_disk(self, server: ServerId) -> dict[str, DiskContent]:
        """What is on a server's disks, as its hypervisor would open them now."""
        with self.store.read() as tx:
            row, volumes = tx.server(server), tx.volumes(server=server)
        pool = self.world.around.pools[row.storage]
        root = pool.root(server, row.disk_build)
        assert root is not None
        assert root.build == row.disk_build
        found = {"root": content_of(root)}
        for volume in volumes:
            data = pool.data_of(volume.id, volume.build)
            assert data is not None
            assert data.build == volume.build
            found[volume.name] = content_of(data)
        return found

    def as_frozen(self, point: RecoveryPointRecord, server: ServerId) -> dict[str, DiskContent]:
        was = self.as_it_was(point, server)
        return {"ledger" if name == LEDGER else name: content for name, content in was.items()}

    # What is done

    def another_process(self, name: str) -> tuple[Vantage, Restores]:
        process = self.world.seen_by_another_process()
        exports = self.folder / "exports"
        lines = Lines(self.store, process.clock)
        return process, Restores(
            self.store, process, Vaults(process), name, BRISKLY, lines, exports=exports
        )

    def prover(self) -> Proving:
        timings = replace(BRISKLY, tidy_every=Seconds(5))
        return Proving(self.store, self.process, NoBlueprints(), timings, patience=Seconds(120))

    def prove(self, how_long: int) -> None:
        """So many seconds go by, in which what is due is proven."""
        for _ in range(how_long):
            lease = self._leading()
            assert self.proving.settle(lease) == []
            self.proving.look(lease)
            self.tick()
            self.controller.tick()
            self.world.clock.sleep(Seconds(1))

    def set_all_power(self, power: Power, seen: Seen) -> None:
        for id in (DB, APP):
            self.set_power(id, power)
        self.until(lambda: all(self.server(id).seen is seen for id in (DB, APP)))

    def want(self, point: RecoveryPointRecord, target: RestoreTarget) -> RestoreId:
        now = self.world.clock.now()
        operation = OperationId(f"op-{draw(8)}")
        with self.store.write() as tx:
            tx.put_operation(
                Operation(
                    operation,
                    "backup.restore",
                    f"system:{RESIDENTS}",
                    MEMBER.code.text,
                    OperationState.RUNNING,
                    0,
                    1,
                    now,
                    now,
                )
            )
            job = RestoreJob(
                RestoreId(f"rs-{draw(8)}"),
                MEMBER.code,
                point.id,
                SystemId(RESIDENTS),
                target,
                "Sato",
                now,
                Waiting(now),
                operation=operation,
            )
            return tx.add_restore(job).id

    def tick(self) -> list[Exception]:
        lease = self._leading()
        failures = self.restores.settle(lease)
        self.restores.look(lease)
        self.restores.begin(lease)
        return failures

    def until_ended(self, id: RestoreId, most: int = 2000) -> RestoreJob:
        for _ in range(most):
            self.tick()
            if not self.job(id).open and not self.restores.busy:
                return self.job(id)
            self.controller.tick()
            self.world.clock.sleep(Seconds(1))
        raise AssertionError("the restore never ended")

    def live_until_killed(self, when: Callable[[int], bool], most: int = 120) -> bool:  # type: ignore[override]
        """The restoring process lives, second by second, until `when` says so of how many calls to the World
        it has made; False where it had nothing more to do before."""
        gate, restores, made = self.process.gate, self.restores, 0
        lease = self._leading()

        def called(_: str) -> None:
            nonlocal made
            made += 1
            if when(made):
                gate.kill()

        def live() -> None:
            restores.look(lease)
            while True:
                restores.begin(lease)
                self.process.clock.sleep(Seconds(1))
                restores.settle(lease)

        gate.before_call = called
        self.world.virtual_clock.spawn(live)
        for _ in range(most):
            self.world.clock.sleep(Seconds(1))
            if gate.killed:
                return True
            if not restores.busy:
                gate.kill()
                return False
        raise AssertionError("it neither ended nor was killed")

    def another_one_takes_over(self) -> None:
        assert self._lease is not None
        self.world.clock.sleep(Seconds(61))
        self._lease = None
        self.process, self.restores = self.another_process(f"after {self.process.gate.calls}")

    def _leading(self) -> Lease:
        now = self.world.clock.now()
        if self._lease is None:
            self._lease = self.store.acquire_lease("restores", draw(6), Seconds(60), now)
        else:
            self._lease = self.store.renew_lease(self._lease, Seconds(60), now)
        assert self._lease is not None
        return self._lease


def same(one: Mapping[str, DiskContent], other: Mapping[str, DiskContent]) -> bool:
    """Byte for byte."""
    return one.keys() == other.keys() and all(
        one[name].size == other[name].size
        and all(
            one[name].read(number * BLOCK, BLOCK) == other[name].read(number * BLOCK, BLOCK)
            for number in _blocks(one[name]) | _blocks(other[name])
        )
        for name in one
    )


def _blocks(content: DiskContent) -> set[int]:
    return {
        extent.offset // BLOCK + number
        for extent in content.extents()
        if extent.data
        for number in range(extent.length // BLOCK)
    }


IN_PLACE = RestoreTarget(RestoreTo.IN_PLACE)
TO_OSAKA = RestoreTarget(RestoreTo.REGION, region=RegionId(OSAKA))
HOUR = timedelta(hours=1)


def asleep(target: RestoreTarget) -> RestoreTarget:
    """So that what is on the disks can be looked at before a guest writes."""
    return replace(target, start=False)


GROUP = ContainerGroupId("cg-0011223344556677")


def with_a_group(stand: Restoring) -> SimulatedGroup:
    kyoto = stand.pool.regions[0].id
    image = "registry.example/web@sha256:" + "0" * 64
    containers = (Container("web", image, VCpu(1), MiB(256)),)
    with stand.store.write() as tx:
        tx.add_container_group(
            ContainerGroup(
                GROUP, MEMBER.code, RESIDENTS, kyoto, "papers", Zone.LGWAN, 0, 1, containers,
                stand.world.clock.now(),
            )
        )  # fmt: skip
    platform = stand.world.platforms[kyoto] = SimulatedPlatform()
    group = platform.group(MEMBER.code, GROUP)
    group.volumes["data"] = SimulatedVolume(VolumeClaim("data", 1 << 30))
    group.volumes["data"].put(b"list", b"one")
    return group

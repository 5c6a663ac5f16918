"""A small pool in the simulated World whose systems are backed up, night after night in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from backup.keeper import Keeper
from backup.keeper.vaults import Vaults
from backup.records.estate import Blueprints
from backup.records.runs import request_run
from backup.repository import Vault
from control_plane.drivers.simulated import Happening, SimulatedWorld, Timing, Vantage
from control_plane.drivers.simulated.backups import content_of
from control_plane.drivers.simulated.disk_content import DiskContent
from control_plane.drivers.simulated.objects import Bucket
from control_plane.journal.operations import draw
from control_plane.model.backup.ids import BackupRunId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.policy import (
    BackupCopy,
    BackupInterval,
    BackupPlace,
    BackupPolicy,
)
from control_plane.model.backup.work import BackupRun, Requested
from control_plane.model.blueprint import Blueprint
from control_plane.model.errors import YuiError
from control_plane.model.hours import MinuteOfDay
from control_plane.model.ids import BlueprintId, ServerId, SystemId
from control_plane.model.operation import Event
from control_plane.model.pool import Zone
from control_plane.model.units import Seconds
from control_plane.model.workload import Power
from control_plane.pool_file import parse
from control_plane.reconcile import Controller, Timings
from control_plane.store import Store
from control_plane.store.recovery_points import SetPolicy
from tests.scenarios.joining import MEMBER, TINY, join
from tests.scenarios.setting import ServerSetting, SystemSetting
from tests.scenarios.stage import BRISK

POOL = """
regions:
  - {id: kyoto, name: 京都, policy: spread, promised: [host], prefectures: [京都府]}
sites:
  - id: kyoto-dc
    region: kyoto
    name: 京都センター
    guest_network: 10.77.16.0/24
    storage_pools:
      - {id: kyoto-pool, capacity: 500 GiB, path: /srv/yui/kyoto}
hosts:
  - {id: kyoto-1, site: kyoto-dc, vcpus: 16, memory: 16 GiB, storage: [kyoto-pool], connection: {driver: simulated, uri: "simulated://kyoto-1"}}
  - {id: kyoto-2, site: kyoto-dc, vcpus: 16, memory: 16 GiB, storage: [kyoto-pool], connection: {driver: simulated, uri: "simulated://kyoto-2"}}
flavors:
  - {id: small, vcpus: 1, memory: 1 GiB, disk: 1 GiB}
"""
FAR = RepositoryId("osaka")
PLACE = "s3://yui-osaka/backups"
RESIDENTS = SystemId("residents")
NIGHTLY = BackupPolicy(
    rpo_hours=26,
    copies=(
        BackupCopy(BackupInterval.DAY, 3, (BackupPlace.OTHER_REGION,), MinuteOfDay(23 * 60 + 30)),
    ),
    test_every_days=None,
)
RARELY = replace(BRISK, record_interval=Seconds(60))
"""Guests that write so little that days are soon told."""
STEP = Seconds(3600)
SLOWLY = Seconds(4 * 3600)


class NoBlueprints(Blueprints):
    def blueprint(self, blueprint_id: BlueprintId, version: int | None = None) -> Blueprint:  # noqa: ARG002
        raise YuiError("blueprint-not-found", en="None is known.", ja="ありません。", status=404)


class Stand:
    """`RESIDENTS` with the servers `residents-db` and `residents-app`, up on two hosts."""

    def __init__(
        self, folder: Path, policy: BackupPolicy = NIGHTLY, timing: Timing = RARELY
    ) -> None:
        self.pool = parse(POOL, "pool.yaml")
        pools = [pool for site in self.pool.sites for pool in site.storage_pools]
        self.world = SimulatedWorld(storage=pools, timing=timing)
        self.store = Store.open(f"sqlite:///{folder / 'state.db'}")
        self.key = folder / "repository.key"
        self.key.write_text("11" * 32)
        self.controller = Controller(self.store, self.world, "one", Timings())
        self._describe()
        self.until(self._hosts_are_up)
        servers = tuple(ServerSetting(f"residents-{r}", r, "small") for r in ("db", "app"))
        system = SystemSetting("residents", 0, Zone.LGWAN, servers)
        join(self.store, self.pool.regions[0].id, system, self.world.clock.now())
        self.until(lambda: all(map(self.world.answering, self.servers())))
        self.set_policy(policy)
        self.vantage, self.keeper = self.another_keeper("one")
        self._held: list[tuple[ServerId, datetime, Mapping[str, DiskContent]]] = []
        self.world.listen(self._hear)

    def close(self) -> None:
        self.vantage.gate.kill()
        self.store.close()

    def _describe(self) -> None:
        now = self.world.clock.now()
        with self.store.write() as tx:
            for region in self.pool.regions:
                tx.put_region(region)
            for site in self.pool.sites:
                tx.put_site(site)
            for flavor in self.pool.flavors:
                tx.put_flavor(flavor)
            tx.put_image(TINY)
            tx.add_tenant(MEMBER)
            for described in self.pool.hosts:
                host = described.as_host(now)
                self.world.machine(host)
                tx.put_host_description(host)
            tx.add_repository(Repository(FAR, "大阪", PLACE, f"file:{self.key}", "大阪府"))

    # What there is

    def servers(self) -> list[ServerId]:
        with self.store.read() as tx:
            return [server.id for server in tx.servers()]

    def points(self) -> list[RecoveryPointRecord]:
        """Whole ones, the newest last."""
        with self.store.read() as tx:
            return [point for point in tx.recovery_points(live=True) if point.whole]

    def events(self, kind: str) -> list[Event]:
        with self.store.read() as tx:
            return [event for event in tx.events(0, 10_000) if event.kind == kind]

    def as_it_was(self, point: RecoveryPointRecord, server: ServerId) -> Mapping[str, DiskContent]:
        """What truly was on the server's disks when they were held for that point."""
        held = [(at, disks) for s, at, disks in self._held if s == server and at >= point.taken_at]
        return min(held, key=lambda each: each[0])[1]

    def insist_on_bytes(self, points: Sequence[RecoveryPointRecord]) -> int:
        """Each disk of each point is, byte for byte, as it was; how many were compared."""
        compared = 0
        with self.vault() as vault:
            for record in points:
                for each in record.servers:
                    point = vault.point(each.point)
                    was = self.as_it_was(record, each.server)
                    assert {disk.name for disk in point.disks} == set(was)
                    for name, content in was.items():
                        reader = vault.read(point, name)
                        assert reader.size == content.size
                        for offset, data in reader.stream(1):
                            assert content.read(offset, len(data)) == data
                        for extent in content.extents():
                            if extent.data:
                                read = reader.read(extent.offset, extent.length)
                                assert read == content.read(extent.offset, extent.length)
                        compared += 1
        return compared

    def _hear(self, happening: Happening) -> None:
        if not happening.text.startswith("begin to read the disks of "):
            return
        id = ServerId(happening.text.rpartition(" ")[2])
        root = self.world.volume(id)
        assert root is not None
        found = {"root": content_of(root)}
        for machine in self.world.machines.values():
            guest = machine.guests.get(id)
            for volume in () if guest is None else guest.disks.values():
                found[volume.id] = content_of(volume)
        self._held.append((id, self.world.clock.now(), found))

    def manifests(self) -> int:
        """How many lie in the repository."""
        return len(self.bucket.keys(f"tenants/{MEMBER.code}/points/"))

    @property
    def bucket(self) -> Bucket:
        return self.world.bucket(PLACE)

    @contextmanager
    def vault(self) -> Iterator[Vault]:
        with self.store.read() as tx:
            repository = tx.repository(FAR)
        with Vaults(self.world).open(repository, MEMBER.code).vault as vault:
            yield vault

    # What is done

    def set_policy(self, policy: BackupPolicy) -> None:
        with self.store.write() as tx:
            now = self.world.clock.now()
            tx.set_backup_policy(RESIDENTS, SetPolicy(policy, "Sato", now))

    def set_power(self, server: ServerId, power: Power) -> None:
        with self.store.write() as tx:
            tx.save_server(replace(tx.server(server), power=power))

    def another_keeper(self, holder: str) -> tuple[Vantage, Keeper]:
        vantage = self.world.seen_by_another_process()
        return vantage, Keeper(self.store, vantage, NoBlueprints(), holder)

    def until(self, condition: Callable[[], bool], most: int = 400) -> None:
        """With the controller at work, second by second."""
        for _ in range(most):
            if condition():
                return
            self.controller.tick()
            self.world.clock.sleep(Seconds(1))
        raise AssertionError("it never came to be so")

    def keep(self, lasts: timedelta, step: Seconds = STEP) -> None:
        """Time passes, with the keeper at work."""
        clock = self.world.clock
        end = clock.monotonic() + lasts.total_seconds()
        while clock.monotonic() < end:
            assert self.keeper.tick() == []
            clock.sleep(step)

    def ask(self) -> BackupRunId:
        """Somebody wants a point now, and to have it for a month."""
        with self.store.write() as tx:
            now = self.world.clock.now()
            id = BackupRunId(f"br-{draw(12)}")
            run = BackupRun(id, MEMBER.code, RESIDENTS, now, Requested(now), asked_by="Sato")
            return request_run(tx, replace(run, keep_until=now + timedelta(days=30))).id

    def live_until_killed(self, when: Callable[[int], bool]) -> None:
        gate = self.vantage.gate
        self.live_until(when, gate.kill, lambda: gate.killed)

    def live_until_paused(self, calls: int) -> None:
        gate = self.vantage.gate
        self.live_until(lambda made: made == calls, gate.pause, lambda: gate.paused)

    def live_until(
        self, when: Callable[[int], bool], do: Callable[[], None], done: Callable[[], bool]
    ) -> None:
        """The keeper's process lives, second by second, until `when` says so of how many calls to the
        World it has made since it first held a server's disks: right before the next."""
        gate, keeper, clock = self.vantage.gate, self.keeper, self.vantage.clock
        made = -1

        def called(name: str) -> None:
            nonlocal made
            if made >= 0 or name == "open_backup":
                made += 1
                if when(made):
                    do()

        def live() -> None:
            while True:
                keeper.tick()
                clock.sleep(Seconds(1))

        gate.before_call = called
        self.world.virtual_clock.spawn(live)
        for _ in range(120):
            self.world.virtual_clock.sleep(Seconds(1))
            if done():
                return
        raise AssertionError("it never came to that")

    def begin_anew(self) -> None:
        self.vantage, self.keeper = self.another_keeper(f"after {self.vantage.gate.calls}")

    def _hosts_are_up(self) -> bool:
        with self.store.read() as tx:
            return all(type(host.health).__name__ == "Up" for host in tx.hosts())

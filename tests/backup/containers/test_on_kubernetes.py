"""A container group on a real Kubernetes: its volume is backed up as its system's policy says, again with what
changed, lost, and put back, and its program finds its files; and without Yui any tar reads it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup.keeper import Keeper
from backup.keeper.timings import Timings
from backup.keeper.vaults import Vaults
from backup.objects.places import Places
from backup.records.runs import request_run
from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.real import RealWorld
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.backup.ids import BackupRunId, RepositoryId, RestoreId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import (
    BackupRun,
    Requested,
    Restored,
    RestoreJob,
    RestoreTarget,
    RestoreTo,
    Waiting,
)
from control_plane.model.blueprint import System
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.ids import BlueprintId, ContainerGroupId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.units import MiB, Seconds, VCpu
from control_plane.pool_file import parse
from control_plane.store import Store
from control_plane.store.recovery_points import SetPolicy
from tests.backup.containers.trees import tree_of
from tests.backup.keeper.stand import NIGHTLY, POOL, NoBlueprints
from tests.backup.yui_restore.carried import carried
from tests.kubernetes_cluster import Cluster
from tests.kubernetes_group import KubernetesGroup
from tests.scenarios.joining import MEMBER

pytestmark = pytest.mark.hypervisor

PAPERS = SystemId("papers")
GROUP = ContainerGroupId("cg-1111222233334444")
ARCHIVE = RepositoryId("archive")
PROGRAM = "cat /data/records/book > /data/found; while :; do sleep 1; done"
MIB = 1 << 20


class Town:
    """A control plane with one system, which consists of a container group."""

    def __init__(self, folder: Path, group: KubernetesGroup) -> None:
        self.folder, self.group = folder, group
        pool = parse(POOL, "pool.yaml")
        (folder / "archive").mkdir()
        key = folder / "repository.key"
        key.write_text("11" * 32)
        clock = SystemClock()
        region = pool.regions[0].id
        self.world = RealWorld(
            clock=clock, objects=Places(clock).open, containers={region: group.volumes}
        )
        self.store = Store.open(f"sqlite:///{folder / 'state.db'}")
        now = clock.now()
        containers = (Container("main", "localhost/x@sha256:" + "0" * 64, VCpu(1), MiB(64)),)
        with self.store.write() as tx:
            tx.put_region(pool.regions[0])
            tx.put_site(pool.sites[0])
            tx.add_tenant(MEMBER)
            tx.add_system(
                System(PAPERS, MEMBER.code, region, BlueprintId("own"), 0, 0, Zone.LGWAN, now)
            )
            tx.add_container_group(
                ContainerGroup(
                    GROUP,
                    MEMBER.code,
                    PAPERS,
                    region,
                    "papers",
                    Zone.LGWAN,
                    0,
                    1,
                    containers,
                    now,
                )
            )
            place = f"file://{folder / 'archive'}"
            tx.add_repository(Repository(ARCHIVE, "書庫", place, f"file:{key}", "大阪府"))
            tx.set_backup_policy(PAPERS, SetPolicy(NIGHTLY, "Sato", now))
        soon = Timings(every=Seconds(0.5))
        self.keeper = Keeper(self.store, self.world, NoBlueprints(), "one", timings=soon)

    def close(self) -> None:
        self.keeper.give_up()
        self.world.close()
        self.store.close()

    def points(self) -> list[RecoveryPointRecord]:
        with self.store.read() as tx:
            return [point for point in tx.recovery_points(live=True) if point.whole]

    def keep(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not until():
            assert self.keeper.tick() == []
            assert time.monotonic() < deadline, "it never came to be so"
            time.sleep(0.05)

    def back_up(self) -> RecoveryPointRecord:
        before = len(self.points())
        now = self.world.clock.now()
        run = BackupRun(
            BackupRunId(f"br-{before:012}"),
            MEMBER.code,
            PAPERS,
            now,
            Requested(now),
            asked_by="Sato",
        )
        with self.store.write() as tx:
            request_run(tx, replace(run, keep_until=now + timedelta(days=30)))
        self.keep(lambda: len(self.points()) > before)
        return self.points()[-1]

    def put_back(self, point: RecoveryPointRecord) -> None:
        now, id = self.world.clock.now(), RestoreId("rs-000000000001")
        target = RestoreTarget(RestoreTo.IN_PLACE)
        job = RestoreJob(id, MEMBER.code, point.id, PAPERS, target, "Sato", now, Waiting(now))
        with self.store.write() as tx:
            tx.add_restore(job)

        def ended() -> bool:
            with self.store.read() as tx:
                return isinstance(tx.restore(id).standing, Restored)

        self.keep(ended)


@pytest.fixture
def town(kubernetes: Cluster, volume_agent_image: str, tmp_path: Path) -> Iterator[Town]:
    group = KubernetesGroup(kubernetes, MEMBER.code, GROUP, volume_agent_image, PROGRAM)
    town = Town(tmp_path, group)
    yield town
    town.close()
    group.stop()


def test_a_groups_volume_is_backed_up_with_what_changed_lost_and_put_back(
    town: Town, tmp_path: Path
) -> None:
    volume, draw = town.group.folder, random.Random(7)  # noqa: S311
    (volume / "records").mkdir()
    (volume / "records/book").write_bytes(draw.randbytes(24 * MIB))
    for number in range(300):
        (volume / f"records/{number:03}").write_bytes(draw.randbytes(number * 20))
    with (volume / "sparse").open("wb") as sparse:
        sparse.truncate(48 * MIB)
        sparse.seek(40 * MIB)
        sparse.write(b"far out")
    os.link(volume / "records/book", volume / "the same")
    os.symlink("records/book", volume / "link")
    (volume / "名簿\n二").write_text("山田")
    os.chown(volume / "records/007", 1234, 5678)
    (volume / "records/007").chmod(0o640)
    os.setxattr(volume / "records/007", "user.owner", b"\0\xff")
    town.group.run(Consistency.QUIESCED)

    first = town.back_up()
    (part,) = first.servers
    assert (part.name, part.consistency, part.container_group) == ("papers", "quiesced", True)
    with (volume / "records/book").open("r+b") as book:
        book.seek(11 * MIB)
        book.write(draw.randbytes(100_000))
    (volume / "records/150").write_bytes(draw.randbytes(9000))
    (volume / "records/new").write_bytes(b"new")
    changed = 109_003
    was = tree_of(volume)
    second = town.back_up()
    assert first.stored_bytes > 24 * MIB
    # Of a changed chunk all is stored, and some of what stands before files moves.
    assert second.stored_bytes < 4 * changed
    assert not [pod for pod in town.group.all_pods() if pod.metadata.name.startswith("yui-volume")]

    town.group.stop()
    for each in volume.iterdir():
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
    town.put_back(second)
    assert tree_of(volume) == was
    assert os.stat(volume / "sparse").st_blocks < 100
    town.group.run(Consistency.CRASH)
    town.group.until(lambda: (volume / "found").stat().st_size == 24 * MIB)
    assert (volume / "found").read_bytes() == was[b"records/book"][-1]
    town.group.stop()

    read_without_yui(town, second, tmp_path)
    (tmp_path / "plain").mkdir()
    (disk,) = (tmp_path / "out").glob("*data.raw")
    command = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", disk, "-C", tmp_path / "plain"]
    subprocess.run(command, check=True, capture_output=True)
    assert tree_of(tmp_path / "plain") == was


def read_without_yui(town: Town, point: RecoveryPointRecord, folder: Path) -> None:
    """As files, from the repository and an escrow file alone."""
    with town.store.read() as tx:
        repository = tx.repository(ARCHIVE)
    with Vaults(town.world).open(repository, MEMBER.code).vault as vault:
        (folder / "escrow").write_bytes(vault.escrow("a long enough passphrase"))
    (folder / "passphrase").write_text("a long enough passphrase")
    run = carried(folder / "carried", with_blake3=True)
    ended = run(
        *("restore", town.folder / "archive", point.servers[0].point, "--to", folder / "out"),
        *("--escrow", folder / "escrow", "--passphrase-file", folder / "passphrase"),
    )
    assert ended.status == 0, ended.err

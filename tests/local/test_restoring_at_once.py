"""A real guest answers before its disk is restored, keeps what it writes meanwhile, and needs no repository in the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.disk_exports import ServedDisk
from control_plane.drivers.nbd import NbdExports
from control_plane.model.backup.ids import RestoreId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import (
    Restored,
    RestoreJob,
    RestorePhase,
    RestoreTarget,
    RestoreTo,
    Restoring,
    Waiting,
)
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed, Power
from images.build import BuiltImage
from tests.images.conftest import tiny  # noqa: F401 — the fixture
from tests.local.hosts import local_pool
from tests.local.test_restoring import DB, MEMBER, RESIDENTS, Town, records, until, writes

pytestmark = pytest.mark.hypervisor

_AT = 700 * 2**20
_LENGTH = 64 * 2**20


class SlowLine(NbdExports):
    """So that there is a while in which some of the disk is there and some is not."""

    slow = True

    def serve(self, backing: str, disk: ServedDisk) -> AbstractContextManager[None]:
        def read(offset: int, length: int) -> bytes:
            if self.slow and offset >= _AT:
                time.sleep(0.2)
            return disk.read(offset, length)

        return super().serve(backing, replace(disk, read=read))


@pytest.fixture
def town(tiny: BuiltImage, tmp_path: Path) -> Iterator[Town]:  # noqa: F811
    with local_pool(tmp_path / "pool", accelerated=None) as pool:
        place = pool.storage(pool.sites[0].id) / "disks"
        made = Town(pool, tiny, tmp_path, SlowLine(f"nbd+unix://{place}"))
        yield made
        made.close()


class Asked:
    """The restore, and whoever carries it out."""

    def __init__(self, town: Town, point: RecoveryPointRecord) -> None:
        self.town = town
        now = town.now()
        target = RestoreTarget(RestoreTo.NEW, at_once=True)
        self.id = RestoreId("rs-now")
        job = RestoreJob(
            self.id, MEMBER.code, point.id, RESIDENTS, target, "Sato", now, Waiting(now)
        )
        with town.store.write() as tx:
            tx.add_restore(job)
        lease = town.store.acquire_lease("restores", "one", Seconds(3600), now)
        assert lease is not None
        self._lease = lease

    def look(self) -> RestoreJob:
        restores = self.town.restores
        restores.settle(self._lease)
        restores.look(self._lease)
        restores.begin(self._lease)
        with self.town.store.read() as tx:
            return tx.restore(self.id)

    def phase(self) -> RestorePhase | None:
        standing = self.look().standing
        return standing.phase if isinstance(standing, Restoring) else None

    def has_told(self, kind: str) -> bool:
        self.look()
        with self.town.store.read() as tx:
            return any(event.kind == kind for event in tx.events(0, 1000))

    def ended(self) -> RestoreJob | None:
        job = self.look()
        return None if job.open or self.town.restores.busy else job


def test_a_server_answers_while_its_disk_comes_and_then_needs_nothing_else(
    town: Town, tmp_path: Path
) -> None:
    extra = tmp_path / "extra"
    extra.write_bytes(os.urandom(_LENGTH))
    restore = Asked(town, _lost_after_a_point(town, extra))
    until(lambda: restore.phase() is RestorePhase.RUNNING)
    with town.store.read() as tx:
        (made,) = tx.servers(system=restore.look().made)
    assert made.power is Power.RUNNING
    assert made.leans_on is not None
    town.start(made.id)
    until(lambda: records(made) == ["moved in: Tanaka"])
    standing = restore.look().standing
    assert isinstance(standing, Restoring)
    assert standing.phase is RestorePhase.COPYING
    assert standing.done < standing.total
    assert writes(made, "meanwhile")

    # The repository is lost in the middle: nothing takes zeros for data, and all goes on when it is back.
    repository, lost = town.folder / "repository", town.folder / "lost"
    repository.rename(lost)
    until(lambda: restore.has_told("restore.unreadable"))
    assert restore.look().open
    lost.rename(repository)
    assert isinstance(town.disk_exports, SlowLine)
    town.disk_exports.slow = False
    until(lambda: restore.has_told("restore.readable-again"))

    assert isinstance(until(restore.ended).standing, Restored)
    shutil.rmtree(repository)
    assert writes(made, "afterwards")
    whole = town.server(made.id)
    assert whole.leans_on is None
    _cut(town, made.id)
    assert _bytes_of(town.root(whole), tmp_path) == extra.read_bytes()
    town.start(made.id)
    until(lambda: records(made) == ["moved in: Tanaka", "meanwhile", "afterwards"])


def _lost_after_a_point(town: Town, extra: Path) -> RecoveryPointRecord:
    """A server with a record, and with bytes on its disk that no guest asks for."""
    server = town.server(DB)
    town.start(DB)
    until(lambda: writes(server, "moved in: Tanaka"))
    _cut(town, server.id)
    write = f"write -s {extra} {_AT} {_LENGTH}"
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", write, town.root(server)], check=True, capture_output=True
    )
    town.start(DB)
    until(lambda: records(server) == ["moved in: Tanaka"])
    town.ask()
    point = until(town.point)
    town.lose(DB)
    return point


def _bytes_of(root: Path, folder: Path) -> bytes:
    """Where the extra ones were, on a disk that stands alone."""
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", root], check=True)
    raw = folder / "whole.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", root, raw], check=True)
    with raw.open("rb") as disk:
        disk.seek(_AT)
        return disk.read(_LENGTH)


def _cut(town: Town, id: ServerId) -> None:
    """Its power."""
    server = town.server(id)
    assert isinstance(server.placement, Placed)
    with town.store.read() as tx:
        host = tx.host(server.placement.host)
    driver = town.world.driver(host)
    (machine,) = (each for each in driver.list_servers() if each.id == id)
    driver.destroy(id, machine.generation)

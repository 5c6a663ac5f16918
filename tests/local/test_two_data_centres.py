"""A guest that keeps writing is backed up to one data centre and copied to another; when the first is gone
with the server and its disk, what comes back from the second is what was frozen, byte for byte."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPlace, BackupPolicy
from control_plane.model.backup.work import Restored, RestoreTarget, RestoreTo
from control_plane.model.hours import MinuteOfDay
from control_plane.model.workload import Server
from control_plane.store.recovery_points import SetPolicy
from images.build import BuiltImage
from tests.backup.conftest import ceph, second_ceph  # noqa: F401 — the fixtures
from tests.backup.objects.buckets import new_place
from tests.ceph import Ceph
from tests.images.conftest import tiny  # noqa: F401
from tests.local.hosts import local_pool
from tests.local.test_restoring import DB, RESIDENTS, Town, records, same_bytes, until, writes

pytestmark = pytest.mark.hypervisor

NEAR, FAR = RepositoryId("near"), RepositoryId("far")
BOTH = BackupPolicy(
    26,
    (
        BackupCopy(
            BackupInterval.DAY,
            5,
            (BackupPlace.OFF_SITE, BackupPlace.OTHER_REGION),
            MinuteOfDay(23 * 60),
        ),
    ),
    test_every_days=None,
)


def keep_in(town: Town, near: Ceph, far: Ceph) -> None:
    """Points go to the one and then to the other; each has credentials and a key of its own."""
    with town.store.write() as tx:
        region = tx.regions()[0]
        tx.save_repository(replace(tx.repository(RepositoryId("osaka")), retired=True))
        for id, centre, at in ((NEAR, near, region.id), (FAR, far, None)):
            folder = town.folder / id
            folder.mkdir()
            s3 = new_place(centre, centre.new_user(), folder / "credentials")
            (folder / "key").write_text(("22" if id == NEAR else "33") * 32)
            place = f"s3://{s3.bucket}/yui?endpoint={s3.endpoint}&region={s3.region}&credentials={s3.credentials}"
            key = f"file:{folder / 'key'}"
            tx.add_repository(Repository(id, id, place, key, "京都府", region=at))
        tx.set_backup_policy(RESIDENTS, SetPolicy(BOTH, "Sato", town.now()))


@contextmanager
def writing(server: Server) -> Iterator[None]:
    """All the while."""
    stopped = threading.Event()

    def write() -> None:
        number = 0
        while not stopped.wait(0.2):
            number += 1
            writes(server, f"entry {number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stopped.set()
        writer.join()


def frozen_point(town: Town, server: Server, run: str, copy: Path) -> RecoveryPointRecord:
    """A point that shows what `copy` holds: the guest stands still until the hypervisor has begun to keep
    that moment, and writes on while it is read."""
    domain = town.frozen(server)
    convert = ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw"]
    subprocess.run([*convert, town.root(server), copy], check=True)
    known = {point.id for point in points(town)}
    town.ask(run)

    def new() -> RecoveryPointRecord | None:
        assert town.keeper.tick() == []
        return next((p for p in points(town) if p.id not in known), None)

    def is_read() -> bool:
        with suppress(libvirt.libvirtError):
            if domain.backupGetXMLDesc(0):
                return True
        return new() is not None

    until(is_read)
    domain.resume()
    return until(new)


def points(town: Town) -> list[RecoveryPointRecord]:
    with town.store.read() as tx:
        return [point for point in tx.recovery_points(live=True) if point.whole]


def in_both(town: Town) -> RecoveryPointRecord | None:
    """One of a day is to lie in the other region, too."""
    assert town.keeper.tick() == []
    return next((point for point in points(town) if {NEAR, FAR} <= set(point.held_in())), None)


@pytest.fixture
def town(tiny: BuiltImage, tmp_path: Path) -> Iterator[Town]:  # noqa: F811
    with local_pool(tmp_path / "pool", accelerated=None) as pool:
        made = Town(pool, tiny, tmp_path)
        yield made
        made.close()


def test_what_one_data_centre_loses_comes_back_from_the_other(
    town: Town,
    ceph: Ceph,  # noqa: F811
    second_ceph: Ceph,  # noqa: F811
    tmp_path: Path,
) -> None:
    keep_in(town, ceph, second_ceph)
    server = town.server(DB)
    town.start(DB)
    until(lambda: writes(server, "moved in: Tanaka"))
    frozen: dict[str, Path] = {}
    with writing(server):
        for run in ("br-1", "br-2"):
            was = tmp_path / f"{run}.raw"
            newest = frozen_point(town, server, run, was)
            frozen[newest.id] = was
            until(lambda: len(records(server)) > 5)
        copied = until(lambda: in_both(town))
    (disk,) = newest.servers[0].disks
    assert disk.how == "changed", disk.why
    assert disk.read_bytes < disk.bytes / 10
    town.lose(DB)
    same_bytes(town.root(restored(town, newest)), frozen[newest.id])

    ceph.kill()
    try:
        back = restored(town, copied)
        same_bytes(town.root(back), frozen[copied.id])
    finally:
        ceph.start()
    town.start(back.id)
    assert until(lambda: records(back))[0] == "moved in: Tanaka"


def restored(town: Town, point: RecoveryPointRecord) -> Server:
    made = {server.id for server in servers(town)}
    job = town.restored(point, RestoreTarget(RestoreTo.NEW, start=False), f"-{len(made)}")
    assert isinstance(job.standing, Restored), job
    (new,) = (server for server in servers(town) if server.id not in made)
    return new


def servers(town: Town) -> tuple[Server, ...]:
    with town.store.read() as tx:
        return tx.servers()

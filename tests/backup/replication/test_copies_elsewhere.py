"""A recovery point is copied into another region's repository whole, with no more than that lacks, and
never with anything that is damaged."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import pytest

from backup.replication import Replication
from backup.repository import Damaged, RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.collector import mark_object
from backup.repository.scrub import scrub
from control_plane.drivers.objects import ObjectLocked, StoreUnavailable
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from tests.backup.repository.dying import Died, DyingStore

HERE = "s3://kyoto/backups?endpoint=https://kyoto.example&region=kyoto&credentials=env:K"
THERE = "s3://saga/backups?endpoint=https://saga.example&region=saga&credentials=env:S"
MIKASA = MunicipalityCode("012220")
CHUNK = 65536
SIZE = 600 * CHUNK


class Stopped(Exception):
    pass


@dataclass
class Regions:
    """The disk of one server, and its points in two repositories with keys of their own."""

    world: SimulatedWorld
    here: Repository
    there: Repository
    disk: bytearray

    def vault(self) -> Vault:
        return self.here.vault(MIKASA, create=True)

    def copy_of(self) -> Vault:
        self.there.receive_keyring(self.vault().keyring)
        return self.there.vault(MIKASA)

    def write(self, *chunks: int) -> None:
        for number in chunks:
            draw = random.Random(number)  # noqa: S311 — the same bytes each time
            self.disk[number * CHUNK : (number + 1) * CHUNK] = draw.randbytes(CHUNK)

    def back_up(self) -> RecoveryPoint:
        with self.vault() as vault:
            points = vault.points("db")
            base = vault.point(points[-1]) if points else None
            with vault.begin("db", "records", base=base) as writer:
                disk = writer.disk("root", SIZE, base_disk="root" if base else None)
                disk.put(0, bytes(self.disk))
                disk.close()
                return writer.commit(consistency="quiesced", details={})

    def replicate(self, point: RecoveryPoint) -> int:
        """Bytes that were sent."""
        with self.vault() as source, self.copy_of() as target:
            return Replication(source, target).copy(point.id).sent_bytes

    def restored(self, point: RecoveryPoint) -> bytes:
        with self.copy_of() as vault:
            return vault.read(vault.point(point.id), "root").read(0, SIZE)


@pytest.fixture
def regions() -> Regions:
    world = SimulatedWorld()
    here = Repository.create(world.objects(HERE), RepositoryKey(bytes(range(32))))
    there = Repository.create(world.objects(THERE), RepositoryKey(bytes(range(1, 33))))
    found = Regions(world, here, there, bytearray(SIZE))
    found.write(0, 1, 255, 256, 599)
    return found


def test_a_copy_restores_without_the_region_that_it_came_from(regions: Regions) -> None:
    point = regions.back_up()
    regions.replicate(point)
    regions.world.bucket(HERE).burn_down()
    with regions.there.vault(MIKASA) as vault:
        assert vault.read(vault.point(point.id), "root").read(0, SIZE) == regions.disk


def test_only_what_is_lacking_goes_over_the_line(regions: Regions) -> None:
    regions.write(*range(300))
    first = regions.replicate(regions.back_up())
    regions.write(300)
    point = regions.back_up()
    second = regions.replicate(point)
    assert first > 300 * CHUNK
    assert second < 3 * CHUNK
    assert regions.replicate(point) == 0
    assert regions.restored(point) == regions.disk


def test_the_newest_may_go_first_and_the_older_ones_after_it(regions: Regions) -> None:
    points, disks = [], []
    for chunk in (10, 11, 12):
        regions.write(chunk)
        points.append(regions.back_up())
        disks.append(bytes(regions.disk))
        regions.world.clock.sleep(60)
    for point in reversed(points):
        regions.replicate(point)
    assert [regions.restored(point) for point in points] == disks


def test_a_copy_that_breaks_off_goes_on_where_it_was(regions: Regions) -> None:
    regions.write(*range(512))
    point = regions.back_up()
    whole = regions.back_up().stored_bytes + point.stored_bytes
    bucket = regions.world.bucket(THERE)
    sent = 0
    for _ in range(20):
        before = bucket.used
        with regions.vault() as source, regions.copy_of() as target:
            asked: list[int] = []

            def give_up_after_one(amount: int, asked: list[int] = asked) -> None:
                asked.append(amount)
                if len(asked) > 1:
                    raise Stopped

            try:
                Replication(source, target, ask=give_up_after_one).copy(point.id)
                break
            except Stopped:
                assert not target.points("db"), "a point is there although its copy broke off"
        sent += bucket.used - before
    assert regions.restored(point) == regions.disk
    assert sent < whole * 1.1


def test_it_may_die_at_any_write_and_the_next_one_ends_it(regions: Regions) -> None:
    regions.write(*range(400))
    point = regions.back_up()
    died = 0
    for at in range(1, 20):
        store = DyingStore(regions.there.objects, at, at % 2 == 0)
        there = Repository.open(store, regions.there.key)
        try:
            there.receive_keyring(regions.vault().keyring)
            with regions.vault() as source, there.vault(MIKASA) as target:
                Replication(source, target).copy(point.id)
            break
        except Died:
            died += 1
    assert died > 2
    regions.replicate(point)
    assert regions.restored(point) == regions.disk


def test_what_is_damaged_here_is_not_sent(regions: Regions) -> None:
    point = regions.back_up()
    key = next(f.key for f in regions.here.objects.list(f"tenants/{MIKASA}/packs/"))
    regions.world.bucket(HERE).flip(key, -40)
    with pytest.raises(Damaged):
        regions.replicate(point)
    assert not list(regions.there.objects.list(f"tenants/{MIKASA}/points/"))


def test_half_an_object_that_was_left_there_is_replaced(regions: Regions) -> None:
    point = regions.back_up()
    regions.replicate(point)
    bucket = regions.world.bucket(THERE)
    key = next(f.key for f in regions.there.objects.list(f"tenants/{MIKASA}/points/"))
    bucket.lose(key)
    bucket.let_another_put_first(key, b"{")
    regions.replicate(point)
    assert regions.restored(point) == regions.disk


def test_what_the_collector_there_is_about_to_remove_is_not_relied_on(regions: Regions) -> None:
    point = regions.back_up()
    with regions.vault() as source, regions.copy_of() as target:
        pack = next(iter(source.index.packs()))[0]
        target.objects.put(mark_object(str(MIKASA), pack), b"{}")
        with pytest.raises(YuiError) as refusal:
            Replication(source, target).copy(point.id)
    assert refusal.value.type == "backup-overtaken"
    assert not list(regions.there.objects.list(f"tenants/{MIKASA}/points/"))


def test_without_the_line_nothing_is_half_there(regions: Regions) -> None:
    point = regions.back_up()
    regions.replicate(point)
    regions.write(7)
    newer = regions.back_up()
    regions.world.bucket(THERE).cut_link()
    with pytest.raises(StoreUnavailable):
        regions.replicate(newer)
    regions.world.bucket(THERE).restore_link()
    regions.replicate(newer)
    with regions.copy_of() as vault:
        found = scrub(vault.objects, vault.tenant, budget=1 << 60, keyring=vault.keyring)
    assert (found.findings, found.ended) == ((), True)


def test_keys_are_held_as_long_as_what_they_open(regions: Regions) -> None:
    until = regions.here.objects.now() + timedelta(days=30)
    with regions.vault() as vault, vault.begin("db", "records", locked_until=until) as writer:
        disk = writer.disk("root", SIZE)
        disk.put(0, bytes(regions.disk))
        disk.close()
        point = writer.commit(consistency="quiesced", details={})
    with regions.vault() as source, regions.copy_of() as target:
        Replication(source, target, locked_until=until).copy(point.id)
    for repository in (regions.here, regions.there):
        with pytest.raises(ObjectLocked):
            repository.vault(MIKASA).destroy()
        for facts in list(repository.objects.list("")):
            with pytest.raises(ObjectLocked):
                repository.objects.delete(facts.key)
    assert regions.restored(point) == regions.disk

"""What one repository holds is copied to another within the line's budget, and each heals the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup.keeper.vaults import Vaults
from control_plane.model.backup.ids import LinkId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Copying, Held, RecoveryPointRecord
from control_plane.model.backup.policy import (
    BackupCopy,
    BackupInterval,
    BackupPlace,
    BackupPolicy,
)
from control_plane.model.backup.sharing import Link
from control_plane.model.hours import MinuteOfDay
from control_plane.model.ids import RegionId
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import FAR, MEMBER, Stand

NEAR = RepositoryId("kyoto-near")
NEAR_PLACE = "s3://yui-kyoto/backups"
OSAKA = RegionId("osaka")
HOUR = timedelta(hours=1)
HERE_AND_THERE = BackupPolicy(
    rpo_hours=26,
    copies=(
        BackupCopy(
            BackupInterval.DAY,
            3,
            (BackupPlace.OFF_SITE, BackupPlace.OTHER_REGION),
            MinuteOfDay(23 * 60 + 30),
        ),
    ),
    test_every_days=None,
)


class TwoPlaces(Stand):
    """With a repository near by, where points are written, and one in another region."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, HERE_AND_THERE)
        with self.store.write() as tx:
            region = self.pool.regions[0]
            tx.put_region(replace(region, id=OSAKA, name="大阪", prefectures=("大阪府",)))
            near = Repository(
                NEAR, "京都", NEAR_PLACE, f"file:{self.key}", "京都府", region=region.id
            )
            tx.add_repository(near)
            tx.save_repository(replace(tx.repository(FAR), region=OSAKA))

    def narrow(self, mbit_per_s: int) -> None:
        with self.store.write() as tx:
            regions = frozenset({self.pool.regions[0].id, OSAKA})
            tx.put_link(Link(LinkId("kyoto-osaka"), regions, mbit_per_s))

    def until_copied(self, most: timedelta = 12 * HOUR) -> RecoveryPointRecord:
        end = self.world.clock.monotonic() + most.total_seconds()
        while self.world.clock.monotonic() < end:
            self.keep(timedelta(seconds=60), Seconds(60))
            for point in self.points():
                if set(point.held_in()) == {NEAR, FAR}:
                    return point
        raise AssertionError("it never arrived")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[TwoPlaces]:
    stand = TwoPlaces(tmp_path)
    yield stand
    stand.close()


def test_a_point_lies_in_the_other_region_soon_after_it_was_taken(stand: TwoPlaces) -> None:
    point = stand.until_copied(HOUR)
    stand.world.bucket(NEAR_PLACE).burn_down()
    assert stand.insist_on_bytes([point]) == 2


@pytest.mark.long
def test_each_nights_copy_follows_the_one_before_and_goes_when_it_does(stand: TwoPlaces) -> None:
    stand.keep(timedelta(days=5))
    points = stand.points()
    assert len(points) == 3
    assert all(set(point.held_in()) == {NEAR, FAR} for point in points)
    assert stand.insist_on_bytes(points) == 6


def test_while_the_other_region_is_away_copies_wait_and_then_all_arrive(stand: TwoPlaces) -> None:
    stand.bucket.cut_link()
    stand.keep(timedelta(days=1, hours=6))
    waiting = stand.points()
    assert len(waiting) == 2
    assert all(point.held_in() == (NEAR,) for point in waiting)
    stand.bucket.restore_link()
    stand.keep(3 * HOUR)
    assert all(set(point.held_in()) == {NEAR, FAR} for point in stand.points())


def test_a_control_plane_that_dies_while_it_copies_is_followed_by_one_that_ends_it(
    stand: TwoPlaces,
) -> None:
    stand.bucket.fail(call="put", times=3)
    stand.keep(timedelta(minutes=3), Seconds(30))
    stand.vantage.gate.kill()
    under_way = stand.points()[0].copy_in(FAR)
    assert under_way is None or isinstance(under_way.standing, Copying | Held)
    stand.vantage, stand.keeper = stand.another_keeper("two")
    point = stand.until_copied(6 * HOUR)
    assert stand.insist_on_bytes([point]) == 2


def rot(stand: TwoPlaces, place: str) -> int:
    """A byte of each pack there; how many there are."""
    found = [f.key for f in stand.world.objects(place).list(f"tenants/{MEMBER.code}/packs/")]
    for key in found:
        stand.world.bucket(place).flip(key, -50)
    return len(found)


@pytest.mark.long
def test_what_rots_in_one_region_is_found_and_put_back_from_the_other(stand: TwoPlaces) -> None:
    stand.until_copied()
    rotten = rot(stand, NEAR_PLACE)
    stand.keep(6 * HOUR)
    assert len(stand.events("backup.damage-found")) == rotten
    assert len(stand.events("backup.damage-healed")) == rotten
    assert all(set(point.held_in()) == {NEAR, FAR} for point in stand.points())
    stand.bucket.burn_down()
    with stand.store.read() as tx:
        opened = Vaults(stand.world).open(tx.repository(NEAR), MEMBER.code)
    with opened.vault as vault:
        for facts in vault.points():
            disk = vault.read(vault.point(facts), "root")
            disk.read(0, disk.size)


def test_what_rots_everywhere_is_said_to_be_lost_once(stand: TwoPlaces) -> None:
    point = stand.until_copied()
    rotten = rot(stand, NEAR_PLACE) + rot(stand, stand.bucket.place)
    stand.keep(8 * HOUR)
    with stand.store.read() as tx:
        assert not tx.recovery_point(point.id).whole
    assert len(stand.events("backup.damage-lost")) == rotten


def test_a_repository_that_is_empty_of_a_sudden_counts_for_nothing_until_it_is_back(
    stand: TwoPlaces,
) -> None:
    point = stand.until_copied()
    kept = {
        f.key: stand.world.objects(NEAR_PLACE).get(f.key)
        for f in stand.world.objects(NEAR_PLACE).list("")
    }
    stand.world.bucket(NEAR_PLACE).burn_down()
    stand.keep(8 * HOUR)
    with stand.store.read() as tx:
        assert tx.recovery_point(point.id).held_in() == (FAR,)
    for key, data in kept.items():
        stand.world.objects(NEAR_PLACE).put(key, data)
    stand.keep(8 * HOUR)
    with stand.store.read() as tx:
        assert set(tx.recovery_point(point.id).held_in()) == {NEAR, FAR}


def test_manifests_that_are_gone_are_missed_and_put_back(stand: TwoPlaces) -> None:
    stand.until_copied()
    near = stand.world.objects(NEAR_PLACE)
    for facts in list(near.list(f"tenants/{MEMBER.code}/points/")):
        stand.world.bucket(NEAR_PLACE).lose(facts.key)
    stand.keep(6 * HOUR)
    assert len(stand.events("backup.damage-healed")) == 2
    assert all(set(point.held_in()) == {NEAR, FAR} for point in stand.points())

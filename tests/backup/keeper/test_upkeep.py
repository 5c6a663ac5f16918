"""What nobody asks for is done night after night, and where it is not, those who look after the place hear of
it once, and once more when it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from control_plane.drivers.objects import StoreRefused
from control_plane.model.backup.points import Complete
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import FAR, MEMBER, NIGHTLY, SLOWLY, Stand
from tests.backup.keeper.test_copies_and_damage import NEAR, TwoPlaces

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = Seconds(60)
HELD_UP = "repository.upkeep-held-up"
WELL = "repository.upkeep-well"
MANY = 1000


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoPlaces]:
    stand = TwoPlaces(tmp_path)
    yield stand
    stand.close()


def upkeep(stand: Stand, work: UpkeepWork) -> Upkeep | None:
    with stand.store.read() as tx:
        return next((each for each in tx.upkeep() if each.work is work), None)


def told(stand: Stand, kind: str, work: UpkeepWork) -> list[str]:
    return [e.en for e in stand.events(kind) if e.fields and e.fields["work"] == work.value]


def lock(stand: Stand, days: int) -> None:
    with stand.store.write() as tx:
        tx.save_repository(replace(tx.repository(FAR), lock_days=days))


def under_lock(stand: Stand) -> list[str]:
    store, now = stand.world.objects(stand.bucket.place), stand.bucket.now()
    keys = stand.bucket.keys(f"tenants/{MEMBER.code}/packs/")
    held = {key: store.stat(key).locked_until for key in keys}
    return [key for key, until in held.items() if until is not None and until > now]


def first_point(stand: Stand) -> None:
    """And nothing more."""
    while not stand.points():
        assert stand.keeper.tick() == []
        stand.world.clock.sleep(Seconds(1))


@pytest.mark.long
def test_after_an_outage_longer_than_the_lock_collection_and_locks_go_on(stand: Stand) -> None:
    (nightly,) = NIGHTLY.copies
    stand.set_policy(replace(NIGHTLY, copies=(replace(nightly, generations=2),)))
    lock(stand, 3)
    stand.bucket.slow_down(Seconds(0.5))
    first_point(stand)
    first = stand.bucket.keys(f"tenants/{MEMBER.code}/points/")
    stand.keeper.give_up()
    stand.world.clock.sleep(Seconds(4 * 86400))
    assert under_lock(stand) == []
    stand.keep(3 * DAY, SLOWLY)
    collected = upkeep(stand, UpkeepWork.COLLECTING)
    assert collected is not None
    assert collected.done_at is not None
    assert collected.failing_since is None
    assert stand.world.clock.now() - collected.done_at < 2 * DAY
    assert not set(first) & set(stand.bucket.keys("tenants/")), "it was let go, and is not locked"
    assert under_lock(stand)


@pytest.mark.long
def test_locks_that_are_refused_are_told_once_and_again_when_they_hold(stand: Stand) -> None:
    lock(stand, 3)
    first_point(stand)
    keys = [key for key in stand.bucket.keys(f"tenants/{MEMBER.code}/") if "/index/" not in key]
    refusal = StoreRefused("osaka did not lock it: 403 AccessDenied.")
    stand.bucket.fail(call="lock", times=len(keys), error=refusal)
    stand.keep(HOUR, Seconds(600))
    (event,) = told(stand, HELD_UP, UpkeepWork.COLLECTING)
    assert f"{len(keys)} objects" in event
    assert str(refusal) in event
    collecting = upkeep(stand, UpkeepWork.COLLECTING)
    assert collecting is not None
    assert collecting.done_at is None
    stand.keep(DAY + 5 * HOUR, SLOWLY)
    assert len(told(stand, WELL, UpkeepWork.COLLECTING)) == 1
    assert len(told(stand, HELD_UP, UpkeepWork.COLLECTING)) == 1
    collecting = upkeep(stand, UpkeepWork.COLLECTING)
    assert collecting is not None
    assert collecting.done_at is not None


@pytest.mark.long
def test_while_a_repository_is_away_what_is_not_done_there_is_told_once_if_it_lasts(
    stand: Stand,
) -> None:
    stand.keep(2 * HOUR, SLOWLY)
    stand.bucket.cut_link()
    stand.keep(HOUR / 2, MINUTE)
    failing = upkeep(stand, UpkeepWork.REREADING)
    assert failing is not None
    assert failing.failing_since is not None
    assert failing.trouble is not None
    assert "does not answer" in failing.trouble.en
    assert stand.events(HELD_UP) == []
    stand.keep(3 * HOUR, Seconds(600))
    (event,) = told(stand, HELD_UP, UpkeepWork.REREADING)
    assert event.startswith("Repository 'osaka' (大阪) can't be read again")
    stand.bucket.restore_link()
    stand.keep(2 * HOUR, Seconds(600))
    assert told(stand, WELL, UpkeepWork.REREADING) == [
        "Reading repository 'osaka' (大阪) again to see whether all is whole is no longer held up."
    ]
    failing = upkeep(stand, UpkeepWork.REREADING)
    assert failing is not None
    assert failing.failing_since is None


@pytest.mark.long
def test_what_another_is_clearing_away_just_now_is_looked_at_again_soon(stand: Stand) -> None:
    name, now = f"backup-collector:{FAR}/{MEMBER.code}", stand.world.clock.now()
    assert stand.store.acquire_lease(name, "another", Seconds(300), now) is not None
    stand.keep(HOUR / 12, MINUTE)
    assert upkeep(stand, UpkeepWork.COLLECTING) is None
    stand.keep(HOUR / 2, MINUTE)
    collected = upkeep(stand, UpkeepWork.COLLECTING)
    assert collected is not None
    assert collected.done_at is not None


def test_a_repository_that_is_gone_is_not_one_where_nothing_is_to_be_cleared_away(
    stand: Stand,
) -> None:
    first_point(stand)
    stand.bucket.lose("repository.json")
    stand.keep(HOUR / 2, Seconds(600))
    assert len(told(stand, HELD_UP, UpkeepWork.COLLECTING)) == 1


@pytest.mark.long
def test_what_can_not_be_healed_in_a_full_bucket_keeps_nothing_else_from_being_read(
    two: TwoPlaces,
) -> None:
    two.until_copied(HOUR)
    for key in two.bucket.keys(f"tenants/{MEMBER.code}/packs/"):
        two.bucket.truncate(key, 100)
    two.bucket.fill()
    with two.store.read() as tx:
        before = {s.repository: s.passes for s in tx.scrub_states()}
    two.keep(2 * HOUR, Seconds(300))
    with two.store.read() as tx:
        after = {s.repository: s.passes for s in tx.scrub_states()}
    assert after[FAR] > before.get(FAR, 0) + 1
    (event,) = told(two, HELD_UP, UpkeepWork.HEALING)
    assert "is full" in event
    two.bucket.empty()
    two.keep(3 * HOUR, Seconds(300))
    assert len(two.events("backup.damage-healed")) == len(two.events("backup.damage-found"))
    assert len(told(two, WELL, UpkeepWork.HEALING)) == 1


@pytest.mark.long
def test_why_copies_do_not_go_is_told_to_those_who_look_after_the_place(two: TwoPlaces) -> None:
    first_point(two)
    two.bucket.revoke()
    two.keep(HOUR / 4, MINUTE)
    (event,) = told(two, HELD_UP, UpkeepWork.COPYING)
    assert event.startswith("Recovery points can't be copied to repository 'osaka'")
    assert "does not accept the credentials" in event
    two.bucket.grant()
    two.keep(HOUR, Seconds(300))
    assert all(set(point.held_in()) == {NEAR, FAR} for point in two.points())
    assert len(told(two, WELL, UpkeepWork.COPYING)) == 1


@pytest.mark.long
def test_keys_that_rot_where_a_copy_goes_are_not_told_as_damage_of_where_it_comes_from(
    two: TwoPlaces,
) -> None:
    two.until_copied(HOUR)
    two.bucket.cut_link()
    two.keep(DAY, SLOWLY)
    two.bucket.restore_link()
    for key in two.bucket.keys(f"tenants/{MEMBER.code}/keyring/"):
        two.bucket.flip(key, 40)
    two.bucket.fill()  # So that they are not put right before a copy meets them.
    two.keep(2 * HOUR, Seconds(300))
    with two.store.read() as tx:
        assert {each.repository for each in tx.scrub_findings()} == {FAR}
    assert all(isinstance(point.standing, Complete) for point in two.points())


@pytest.mark.long
def test_a_run_that_can_not_be_taken_up_is_told_while_it_waits(stand: Stand) -> None:
    stand.keep(HOUR / 12, MINUTE)
    stand.ask()
    stand.live_until_killed(lambda made: made == 10)
    stand.bucket.revoke()
    stand.begin_anew()
    stand.keep(HOUR / 12, MINUTE)
    assert len(told(stand, HELD_UP, UpkeepWork.TAKING_UP)) == 1
    stand.bucket.grant()
    stand.keep(HOUR, Seconds(300))
    assert len(told(stand, WELL, UpkeepWork.TAKING_UP)) == 1
    assert len(stand.points()) == 2

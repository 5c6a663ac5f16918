"""That a point can be restored is proven before it is needed, on no network, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.units import Seconds
from control_plane.store import Snapshot
from tests.backup.keeper.stand import MEMBER, PLACE, RESIDENTS
from tests.backup.keeper.test_copies_and_damage import HERE_AND_THERE, NEAR_PLACE
from tests.backup.restore.restoring import APP, DB, HOUR, Restoring, with_a_group


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Restoring]:
    stand = Restoring(tmp_path)
    stand.set_policy(replace(HERE_AND_THERE, test_every_days=30))
    yield stand
    stand.close()


def point_of(stand: Restoring) -> RecoveryPointRecord:
    (point,) = stand.points()
    return point


def systems(tx: Snapshot) -> list[str]:
    return [system.id for system in tx.systems()]


def test_a_proof_starts_the_system_on_no_network_and_takes_it_away_again(
    stand: Restoring,
) -> None:
    stand.until_copied(HOUR)
    seen = set()
    for _ in range(12):
        stand.prove(10)
        with stand.store.read() as tx:
            seen |= {(server.system == RESIDENTS, server.isolated) for server in tx.servers()}
    assert seen == {(True, False), (False, True)}
    (event,) = stand.events("restore-test.passed")
    assert event.tenant == MEMBER.code.text
    assert point_of(stand).proven_at is not None
    with stand.store.read() as tx:
        (test,) = tx.restore_tests()
        assert systems(tx) == [RESIDENTS]
        assert {volume.server for volume in tx.volumes()} == {DB}
    assert test.passed
    assert 0 < test.seconds < 120
    assert stand.world.answering(DB)
    assert stand.world.answering(APP)
    assert stand.events("restore.done") == []
    # It is proven for a month, and nothing more is begun.
    stand.prove(20)
    with stand.store.read() as tx:
        assert len(tx.restores()) == 1


def test_whoever_takes_over_in_the_middle_of_a_proof_ends_it(stand: Restoring) -> None:
    stand.until_copied(HOUR)
    stand.prove(3)
    stand.another_one_takes_over()
    stand.proving = stand.prover()
    stand.prove(120)
    assert len(stand.events("restore-test.passed")) == 1
    with stand.store.read() as tx:
        assert systems(tx) == [RESIDENTS]


def test_a_system_that_does_not_come_up_is_told_of_and_taken_away(stand: Restoring) -> None:
    stand.until_copied(HOUR)
    for machine in stand.world.machines.values():
        machine.slow_guests = Seconds(10_000)
    stand.prove(200)
    (event,) = stand.events("restore-test.failed")
    assert "had not said on its console" in event.en
    assert event.ja != event.en
    assert point_of(stand).proven_at is None
    assert point_of(stand).whole
    with stand.store.read() as tx:
        assert systems(tx) == [RESIDENTS]


def test_bytes_that_are_whole_nowhere_make_the_point_a_damaged_one(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    for bucket in (stand.world.bucket(NEAR_PLACE), stand.world.bucket(PLACE)):
        for key in bucket.keys("tenants/012220/packs/"):
            bucket.flip(key, 100)
    stand.prove(30)
    assert len(stand.events("restore-test.failed")) == 1
    assert stand.events("restore.failed") == []
    with stand.store.read() as tx:
        assert not tx.recovery_point(point.id).whole
        assert systems(tx) == [RESIDENTS]


def test_nothing_is_proven_where_there_is_no_room_for_it(stand: Restoring) -> None:
    stand.until_copied(HOUR)
    with stand.store.write() as tx:
        region = stand.pool.regions[0].id
        tx.put_allotment(Allotment(MEMBER.code, region, Capacity(), Capacity()))
    stand.prove(20)
    with stand.store.read() as tx:
        assert tx.restores() == ()
        assert tx.restore_tests() == ()


def test_what_was_not_tried_is_said(stand: Restoring) -> None:
    with_a_group(stand)
    stand.until_copied(HOUR)
    stand.prove(120)
    (event,) = stand.events("restore-test.passed")
    assert "papers" in event.en
    assert "papers" in event.ja
    assert "were not tried" in event.en
    with stand.store.read() as tx:
        (test,) = tx.restore_tests()
    assert test.passed
    tried = {each.server: (each.by, each.seconds is not None) for each in test.servers}
    assert tried.pop("papers") == ("untested", False)
    assert {by for by, _ in tried.values()} == {"console"}
    assert all(well for _, well in tried.values())

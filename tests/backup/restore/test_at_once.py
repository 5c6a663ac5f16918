"""Servers work before their disks are restored, lose nothing of what they write meanwhile, and lean on nothing in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.model.backup.ids import RestoreId
from control_plane.model.backup.work import (
    Restored,
    RestorePhase,
    RestoreTarget,
    RestoreTo,
    Restoring,
)
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed, Power, Seen
from tests.backup.keeper.stand import PLACE
from tests.backup.keeper.test_copies_and_damage import NEAR_PLACE
from tests.backup.restore.restoring import APP, BRISKLY, DB, HOUR, IN_PLACE, asleep, same
from tests.backup.restore.restoring import Restoring as Stand

NOW = RestoreTarget(RestoreTo.NEW, name="again", at_once=True)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


def second(stand: Stand) -> None:
    stand.tick()
    stand.controller.tick()
    stand.world.clock.sleep(Seconds(1))


def until_phase(stand: Stand, id: RestoreId, phase: RestorePhase) -> None:
    for _ in range(200):
        standing = stand.job(id).standing
        if isinstance(standing, Restoring) and standing.phase is phase:
            return
        second(stand)
    raise AssertionError(f"it never came to {phase}")


def until_answering(stand: Stand, id: RestoreId) -> None:
    for _ in range(200):
        if all(stand.world.answering(server.id) for server in stand.made(id).values()):
            return
        second(stand)
    raise AssertionError("its servers never answered")


def leaning(stand: Stand) -> list[str]:
    with stand.store.read() as tx:
        servers, volumes = tx.servers(), tx.volumes()
    return [s.id for s in servers if s.leans_on] + [v.id for v in volumes if v.leans_on]


def test_a_new_system_works_while_it_is_copied_and_needs_no_repository_afterwards(
    stand: Stand,
) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    id = stand.want(point, NOW)
    until_phase(stand, id, RestorePhase.RUNNING)
    db = stand.made(id)["db"]
    assert len(leaning(stand)) == 3
    until_phase(stand, id, RestorePhase.COPYING)
    until_answering(stand, id)
    assert stand.world.notes(db.id) == ("moved in: Tanaka",)
    stand.world.write_note(db.id, "moved in: Suzuki")
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert leaning(stand) == []
    for place in (NEAR_PLACE, PLACE):
        stand.world.bucket(place).burn_down()
    for _ in range(5):
        second(stand)
    found = stand.made(id)["db"]
    assert isinstance(found.placement, Placed)
    machine = stand.world.machines[found.placement.host]
    assert machine.definitions[db.id].volume.backing is None
    assert machine.guests[db.id].volume.leaning is None
    assert stand.world.answering(db.id)
    assert stand.world.notes(db.id) == ("moved in: Tanaka", "moved in: Suzuki")
    assert stand.world.records_intact(db.id)
    assert [len(stand.events(f"restore.{kind}")) for kind in ("started", "done")] == [1, 1]
    assert stand.world.around.monitor.violations == []


def test_while_the_repositories_are_out_of_reach_servers_wait_and_then_go_on(
    stand: Stand,
) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    id = stand.want(point, replace(IN_PLACE, at_once=True))
    stand.tick()
    assert isinstance(stand.job(id).standing, Restoring)
    for place in (NEAR_PLACE, PLACE):
        stand.world.bucket(place).cut_link()
    for _ in range(30):
        second(stand)
    (event,) = stand.events("restore.unreadable")
    assert "stands still" in event.en
    assert "一時停止" in event.ja
    assert stand.job(id).open
    assert leaning(stand)
    assert not any(map(stand.world.answering, (DB, APP)))
    for place in (NEAR_PLACE, PLACE):
        stand.world.bucket(place).restore_link()
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert len(stand.events("restore.readable-again")) == 1
    stand.until(lambda: all(map(stand.world.answering, (DB, APP))))
    assert stand.world.notes(DB) == ("moved in: Tanaka",)
    assert leaning(stand) == []


@pytest.mark.long
def test_after_the_death_of_its_host_a_server_goes_on_elsewhere_from_what_is_there_by_then(
    stand: Stand,
) -> None:
    point = stand.until_copied(HOUR)
    around = stand.world.around
    around.timing = replace(around.timing, bytes_read_a_second=8 * 2**20)
    id = stand.want(point, NOW)
    until_phase(stand, id, RestorePhase.COPYING)
    until_answering(stand, id)
    db = stand.made(id)["db"]
    assert db.id in leaning(stand)
    stand.world.write_note(db.id, "moved in: Suzuki")
    assert isinstance(db.placement, Placed)
    stand.world.cut_power(db.placement.host)
    assert isinstance(stand.until_ended(id).standing, Restored)
    stand.until(lambda: stand.world.answering(db.id))
    assert stand.world.notes(db.id) == ("moved in: Suzuki",)
    assert leaning(stand) == []
    assert stand.world.around.monitor.violations == []


@pytest.mark.long
def test_a_restore_at_once_that_was_killed_anywhere_loses_nothing(stand: Stand) -> None:
    point = stand.until_copied(HOUR)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    frozen = {server: stand.as_frozen(point, server) for server in (DB, APP)}
    killed = 0
    for calls in range(1, 200, 7):
        id = stand.want(point, asleep(replace(IN_PLACE, at_once=True)))
        was_killed = stand.live_until_killed(lambda made, calls=calls: made == calls)
        stand.another_one_takes_over()
        assert isinstance(stand.until_ended(id).standing, Restored)
        assert leaning(stand) == []
        for server in (DB, APP):
            assert same(stand.on_disk(server), frozen[server])
            row = stand.server(server)
            assert stand.world.around.pools[row.storage].builds(server) == {row.disk_build}
        if not was_killed:
            break
        killed += 1
    assert not was_killed
    assert killed > 3
    assert stand.world.around.monitor.violations == []


def test_servers_that_run_from_a_repository_are_never_taken_away_again(stand: Stand) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    around = stand.world.around
    around.timing, usual = replace(around.timing, bytes_read_a_second=2**20), around.timing
    id = stand.want(point, NOW)
    until_phase(stand, id, RestorePhase.COPYING)
    until_answering(stand, id)
    db = stand.made(id)["db"]
    stand.world.write_note(db.id, "moved in: Suzuki")
    for _ in range(8):
        stand.process.gate.kill()
        stand.another_one_takes_over()
        stand.tick()
        assert not stand.world.answering(db.id)
    standing = stand.job(id).standing
    assert isinstance(standing, Restoring)
    assert standing.attempts > BRISKLY.attempts
    around.timing = usual
    assert isinstance(stand.until_ended(id).standing, Restored)
    stand.until(lambda: stand.world.answering(db.id))
    assert stand.world.notes(db.id) == ("moved in: Tanaka", "moved in: Suzuki")

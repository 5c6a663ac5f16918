"""Hosts die, repositories go away, control planes are killed: what is whole restores, and the rest is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from control_plane.model.backup.points import Abandoned, Complete, Taking
from control_plane.model.backup.work import Finished, Requested
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed
from tests.backup.keeper.stand import FAR, SLOWLY, Stand
from tests.scenarios.joining import MEMBER

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DB = ServerId("residents-db")
NOISE = Random(1).randbytes(1 << 20)  # noqa: S311 — what does not compress


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


def test_after_its_host_died_a_server_is_read_whole_and_only_changes_are_stored(
    stand: Stand,
) -> None:
    stand.keep(DAY, SLOWLY)
    with stand.store.read() as tx:
        placement = tx.server(DB).placement
    assert isinstance(placement, Placed)
    stand.world.cut_power(placement.host)
    stand.until(lambda: all(map(stand.world.answering, stand.servers())))
    stand.keep(DAY, SLOWLY)
    before, after = stand.points()[-2:]
    moved = {each.server: each.disks[0] for each in after.servers}[DB]
    assert (moved.how, moved.why) == ("full", "unknown-here")
    assert moved.changed_bytes < moved.read_bytes
    told = stand.events("backup.read-whole")
    assert [event.fields for event in told] == [{"server": DB}]
    assert "moved here" in told[0].en
    assert stand.insist_on_bytes([before, after]) == 4


def test_a_repository_that_is_away_for_a_night_is_told_of_once_and_caught_up_with(
    stand: Stand,
) -> None:
    stand.keep(DAY, SLOWLY)
    had = len(stand.points())
    met = len(stand.events("backup.objectives-met"))
    stand.bucket.cut_link()
    stand.keep(DAY + 6 * HOUR, SLOWLY)
    assert len(stand.points()) == had
    assert len(stand.events("repository.trouble")) == 1
    assert stand.events("backup.failed") == []
    missed = stand.events("backup.objective-missed")
    assert len(missed) == 1
    assert "older than its objective" in missed[0].en
    stand.bucket.restore_link()
    stand.keep(3 * HOUR, Seconds(3600))
    assert len(stand.points()) == had + 1
    assert len(stand.events("repository.well")) == 1
    assert len(stand.events("backup.objectives-met")) == met + 1
    assert len(stand.events("backup.objective-missed")) == 1
    assert stand.insist_on_bytes(stand.points()) == 2 * (had + 1)


@pytest.mark.long
def test_a_control_plane_killed_anywhere_in_a_run_leaves_only_whole_points(stand: Stand) -> None:
    stand.keep(HOUR)

    def after(calls: int) -> Callable[[int], bool]:
        return lambda made: made == calls

    def with_manifests(more: int) -> Callable[[int], bool]:
        had = stand.manifests()
        return lambda _: stand.manifests() == had + more

    deaths = [after(calls) for calls in range(0, 45, 6)]
    for number in range(len(deaths) + 2):
        had = stand.points()
        stand.world.write_bytes(DB, 900 << 20, bytes([number + 1]) * 200_000)
        asked = stand.ask()
        death = deaths[number] if number < len(deaths) else with_manifests(number - len(deaths) + 1)
        stand.live_until_killed(death)
        stand.begin_anew()
        stand.keep(HOUR / 20, Seconds(30))
        with stand.store.read() as tx:
            assert isinstance(tx.backup_run(asked).standing, Finished)
            assert not any(isinstance(p.standing, Taking) for p in tx.recovery_points(live=True))
            begun = [point for point in tx.recovery_points() if point.run == asked]
        assert len(stand.points()) == len(had) + 1
        assert stand.insist_on_bytes(stand.points()[-1:]) == 2
        if number == len(deaths):
            assert [type(point.standing) for point in begun] == [Abandoned, Complete]
        elif number > len(deaths):
            # What the killed one had finished counts, though it did not live to write that down.
            assert [type(point.standing) for point in begun] == [Complete]
    assert stand.insist_on_bytes(stand.points()) == 2 * len(stand.points())
    # Nothing lies there that no record knows.
    assert stand.manifests() == 2 * len(stand.points())


@pytest.mark.long
def test_who_was_overtaken_while_it_stood_still_writes_nothing_more(stand: Stand) -> None:
    stand.keep(HOUR, SLOWLY)
    for calls in (5, 30, 40):
        asked = stand.ask()
        old = stand.vantage.gate
        stand.live_until_paused(calls)
        stand.begin_anew()
        stand.keep(HOUR / 20, Seconds(30))
        points = stand.points()
        old.before_call = lambda _: None
        old.resume()
        # The old one goes on where it stood, until it finds that it may not.
        stand.keep(HOUR / 20, Seconds(30))
        old.kill()
        assert stand.points() == points
        with stand.store.read() as tx:
            assert isinstance(tx.backup_run(asked).standing, Finished)
            taken = [p for p in tx.recovery_points() if p.run == asked]
        assert [type(point.standing) for point in taken] == [Abandoned, Complete]
        assert stand.insist_on_bytes(points[-1:]) == 2


def test_a_clock_that_is_set_a_year_ahead_and_back_costs_no_point(stand: Stand) -> None:
    stand.keep(2 * DAY, SLOWLY)
    points = stand.points()
    stand.world.virtual_clock.jump(365 * DAY)
    stand.keep(4 * HOUR, SLOWLY)
    ahead = stand.points()[-1]
    assert ahead.taken_at > points[-1].taken_at + 300 * DAY
    stand.world.virtual_clock.jump(-365 * DAY)
    stand.keep(DAY, SLOWLY)
    # What is dated later than now counts for nothing, and stays; the nights go on.
    newer = [p for p in stand.points() if points[-1].taken_at < p.taken_at < ahead.taken_at]
    assert len(newer) == 1
    assert {point.id for point in stand.points()} >= {points[-1].id, ahead.id}
    assert stand.insist_on_bytes([*points[-1:], *newer]) == 4


def test_a_bucket_that_fills_up_is_told_as_full_though_the_first_manifest_is_under_object_lock(
    stand: Stand,
) -> None:
    _lock(stand)
    stand.keep(HOUR, SLOWLY)
    asked, had = stand.ask(), stand.manifests()

    def called(_: str) -> None:
        if stand.manifests() > had:
            stand.bucket.fill()

    stand.vantage.gate.before_call = called
    stand.keep(HOUR / 30, Seconds(30))
    (told,) = stand.events("repository.trouble")
    assert "is full" in told.en
    with stand.store.read() as tx:
        standing = tx.backup_run(asked).standing
    assert isinstance(standing, Requested)
    assert standing.trouble is not None
    assert "object lock" not in standing.trouble.en
    stand.vantage.gate.before_call = lambda _: None
    stand.bucket.empty()
    stand.keep(HOUR, Seconds(300))
    with stand.store.read() as tx:
        assert isinstance(tx.backup_run(asked).standing, Finished)
    # The manifest that is left is locked, and counts for nothing.
    assert stand.manifests() == had + 3
    assert stand.insist_on_bytes(stand.points()) == 2 * 2


def test_what_a_killed_control_plane_left_under_object_lock_keeps_no_other_run_waiting(
    stand: Stand,
) -> None:
    _lock(stand)
    stand.keep(HOUR, SLOWLY)
    asked, had = stand.ask(), stand.manifests()
    stand.live_until_killed(lambda _: stand.manifests() == had + 1)
    stand.begin_anew()
    stand.keep(HOUR / 20, Seconds(30))
    with stand.store.read() as tx:
        assert isinstance(tx.backup_run(asked).standing, Finished)
    assert stand.manifests() == had + 3


def _lock(stand: Stand) -> None:
    with stand.store.write() as tx:
        tx.save_repository(replace(tx.repository(FAR), lock_days=3))


def test_a_backup_does_not_rest_on_what_has_rotted(stand: Stand) -> None:
    for server in stand.servers():
        stand.world.write_bytes(server, 900 << 20, NOISE)
    stand.keep(HOUR, SLOWLY)
    (rotten,) = stand.points()
    for key in stand.bucket.keys(f"tenants/{MEMBER.code}/packs/"):
        stand.bucket.flip(key, 100)
    stand.world.write_bytes(DB, 900 << 20, b"changed")
    stand.ask()
    stand.keep(timedelta(minutes=10), Seconds(60))
    with stand.store.read() as tx:
        assert not tx.recovery_point(rotten.id).whole
    assert len(stand.events("backup.damage-found")) >= 1
    # All was read and stored again, though it lies there under the same names.
    (fresh,) = stand.points()
    assert {each.disks[0].how for each in fresh.servers} == {"full"}
    assert fresh.stored_bytes >= len(NOISE)
    assert stand.insist_on_bytes([fresh]) == 2

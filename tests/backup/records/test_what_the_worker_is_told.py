"""What the worker is told to do, carried out on record for weeks: nothing is taken twice, nothing that
matters goes, and what is wrong is told once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup.records import agenda
from backup.records.agenda import (
    copies_due,
    next_runs,
    points_to_expire,
    restores_waiting,
)
from backup.records.damage import found_damage, healed_damage, lost_for_now
from backup.records.lags import news, statuses
from backup.records.restores import begin_restore, fail_restore, finish_restore, record_test
from backup.records.runs import (
    begin_copy,
    begin_run,
    copy_removed,
    expire,
    fail_run,
    finish_copy,
    finish_run,
    request_run,
    runs_under_way,
)
from backup.records.steps import StepRefused
from control_plane.model.backup.declaration import DisasterDeclaration
from control_plane.model.backup.ids import (
    BackupRunId,
    DeclarationId,
    RepositoryId,
    RestoreId,
    RestoreTestId,
)
from control_plane.model.backup.objectives import Shortfall
from control_plane.model.backup.places import LocationRule, Repository
from control_plane.model.backup.points import Complete, Damaged, Expired, ServerPoint
from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.backup.work import (
    BackupRun,
    Requested,
    Restored,
    RestoreJob,
    RestoreTarget,
    RestoreTest,
    RestoreTo,
    Trouble,
    Waiting,
)
from control_plane.model.blueprint import Blueprint
from control_plane.model.ids import BlueprintId, RegionId, ServerId, SiteId
from control_plane.model.pool import Zone
from control_plane.model.workload import Placed
from control_plane.store import Store
from control_plane.store.recovery_points import SetPolicy
from tests.backup.policies.samples import FAR, ON, copy, policy
from tests.store import samples

BEGIN = datetime(2026, 4, 1, 15, tzinfo=UTC)  # midnight in Japan
CELLAR, AFAR = RepositoryId("cellar"), RepositoryId("kagoshima")
WHY = Trouble("The host was away.", "ホストが応答しませんでした。")
RULES = replace(
    policy(copy("hour", 3, ON), copy("day", 2, ON, FAR, at="23:30"), rpo_hours=1),
    rpo_away_hours=26,
    test_every_days=5,
)


class OneBlueprint:
    def __init__(self, wanted: BackupPolicy) -> None:
        self.wanted = wanted

    def blueprint(self, blueprint_id: BlueprintId, version: int | None = None) -> Blueprint:
        return Blueprint(
            blueprint_id,
            version or 1,
            "住民記録",
            "Residents",
            0,
            Zone.MYNUMBER,
            (),
            backup=self.wanted,
        )


CATALOGUE = OneBlueprint(RULES)


def repository(id: RepositoryId, region: str, site: str, prefecture: str) -> Repository:
    at = SiteId(site)
    domains = Repository.domains_of(at, ())
    return Repository(id, id, f"memory:{id}", "env:KEY", prefecture, RegionId(region), at, domains)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/state.db")
    samples.furnish(opened)
    with opened.write() as tx:
        system = tx.system(samples.SYSTEM)
        tx.add_server(samples.server(1, Placed(samples.host_id(1)), system=system.id))
        tx.add_repository(repository(CELLAR, "kyoto", "kyoto-dc", "京都府"))
        tx.add_repository(repository(AFAR, "kagoshima", "kagoshima-dc", "鹿児島県"))
    yield opened
    opened.close()


def work(store: Store, now: datetime) -> None:
    """One look around of a worker for which everything goes well at once."""
    with store.write() as tx:
        for wanted in next_runs(tx, CATALOGUE, now):
            run, point = begin_run(tx, wanted, now, "keeper-1")
            part = ServerPoint(ServerId("s-1"), "db", point.id, "quiesced", ())
            finish_run(tx, run, now, [part], 10)
        for each in copies_due(tx, CATALOGUE, now):
            begin_copy(tx, each.point.id, each.target.id, now)
            finish_copy(tx, each.point.id, each.target.id, now, 10)
        for expiry in points_to_expire(tx, CATALOGUE, now):
            expire(tx, expiry, now)
            for gone in expiry.repositories:
                copy_removed(tx, expiry.point.id, gone, now)


def taken(store: Store) -> list[tuple[str, tuple[str, ...]]]:
    with store.read() as tx:
        return [
            (f"{p.taken_at + timedelta(hours=9):%d %H:%M}", p.held_in())
            for p in tx.recovery_points(live=True)
        ]


def test_days_of_hours_and_nights_leaves_what_the_policy_says(store: Store) -> None:
    for hours in range(22, 24 * 2):
        work(store, BEGIN + timedelta(hours=hours))
        work(store, BEGIN + timedelta(hours=hours, minutes=1))
        if hours % 24 == 23:
            work(store, BEGIN + timedelta(hours=hours, minutes=30))
    both = (CELLAR, AFAR)
    assert taken(store) == [
        ("02 23:30", both),
        *((f"03 {hour}", (CELLAR,)) for hour in ("21:00", "22:00", "23:00")),
        ("03 23:30", both),
    ]
    # The worker stands still for five days and takes one point, not one for each hour that was missed.
    later = BEGIN + timedelta(days=12)
    with store.write() as tx:
        missed = news(tx, CATALOGUE, later).missed
        assert {each.what for _, each in missed} >= {
            Shortfall.OBJECTIVE_MISSED,
            Shortfall.AWAY_MISSED,
            Shortfall.NEVER_PROVEN,
        }
        assert news(tx, CATALOGUE, later).missed == (), "each is told once"
    before = len(taken(store))
    work(store, later)
    assert len(taken(store)) <= before + 1
    with store.read() as tx:
        (wanted,) = agenda.tests_due(tx, CATALOGUE, later)
        assert wanted.repository.id == CELLAR, "the near one"
    for trouble, due in ((WHY, 0), (None, 0)):
        with store.write() as tx:
            record_test(
                tx,
                RestoreTest(
                    RestoreTestId(f"t-{trouble is None}"),
                    wanted.backup.system.tenant,
                    wanted.backup.system.id,
                    wanted.point.id,
                    CELLAR,
                    later,
                    later + timedelta(seconds=90),
                    trouble,
                ),
            )
            assert len(agenda.tests_due(tx, CATALOGUE, later + timedelta(hours=1))) == due
            if trouble is not None:
                assert len(agenda.tests_due(tx, CATALOGUE, later + timedelta(days=2))) == 1
    with store.write() as tx:
        (status,) = statuses(tx, CATALOGUE, later)
        assert status.breaches == ()
        assert status.standing.proven_at == later + timedelta(seconds=90)
        assert len(news(tx, CATALOGUE, later).met_again) == 1
        kinds = [event.kind for event in tx.events(0, 50)]
    assert kinds == ["restore-test.failed", "restore-test.passed"]


def test_a_run_that_failed_is_tried_again_and_what_somebody_asks_for_is_done_at_once(
    store: Store,
) -> None:
    with store.write() as tx:
        (wanted,) = next_runs(tx, CATALOGUE, BEGIN)
        run, _ = begin_run(tx, wanted, BEGIN, "keeper-1")
        assert next_runs(tx, CATALOGUE, BEGIN) == ()
        with pytest.raises(StepRefused):
            begin_run(tx, wanted, BEGIN, "keeper-2")
    with store.write() as tx:
        (left,) = runs_under_way(tx)
        fail_run(tx, left, BEGIN, WHY, BEGIN + timedelta(hours=1))
        assert next_runs(tx, CATALOGUE, BEGIN + timedelta(minutes=59)) == ()
        (again,) = next_runs(tx, CATALOGUE, BEGIN + timedelta(hours=1))
        assert again.run is not None
        assert again.run.standing == Requested(BEGIN + timedelta(hours=1), 1, WHY)
        assert tx.recovery_points(live=True) == ()
    soon = BEGIN + timedelta(minutes=5)
    wish = BackupRun(
        BackupRunId("br-wish"),
        wanted.backup.system.tenant,
        samples.SYSTEM,
        soon,
        Requested(soon),
        asked_by="佐藤",
        keep_until=soon + timedelta(days=30),
    )
    with store.write() as tx:
        assert request_run(tx, wish).id == run.id, "what waits is done for whoever asks"
    work(store, soon)
    for days in range(1, 7):
        work(store, soon + timedelta(days=days))
    assert taken(store)[0][0] == "02 00:05", "it stays for as long as it was asked for"
    with store.read() as tx:
        assert tx.backup_runs(open_only=True) == ()


def test_what_may_not_lie_there_goes_and_what_a_disaster_pins_stays(store: Store) -> None:
    for day in range(6, 9):
        work(store, BEGIN + timedelta(days=day, hours=23, minutes=45))
    with store.write() as tx:
        tx.add_disaster(
            DisasterDeclaration(
                DeclarationId("d-1"),
                BEGIN + timedelta(days=10),
                timedelta(days=2),
                timedelta(days=1),
                "地震",
                "佐藤",
                BEGIN + timedelta(days=12),
            )
        )
    for day in range(9, 18):
        work(store, BEGIN + timedelta(days=day, hours=23, minutes=45))
    assert [at for at, _ in taken(store)][:4] == ["09 23:45", "10 23:45", "11 23:45", "12 23:45"]
    with store.write() as tx:
        own = tx.system(samples.SYSTEM).tenant
        tx.put_location_rule(
            LocationRule(
                own, frozenset({"京都府"}), frozenset(), "条例", BEGIN.date(), "佐藤", BEGIN
            )
        )
        tx.set_backup_policy(
            samples.SYSTEM, SetPolicy(policy(copy("day", 2, at="23:30")), "佐", BEGIN)
        )
    work(store, BEGIN + timedelta(days=19))
    assert {places for _, places in taken(store)} == {(CELLAR,)}
    with store.write() as tx:
        assert all(
            not isinstance(p.standing, Expired) or p.held_in() == () for p in tx.recovery_points()
        )
        tx.remove_server(tx.servers()[0].id)
        tx.remove_system(samples.SYSTEM)
        soon, later = BEGIN + timedelta(days=60), BEGIN + timedelta(days=19 + 91)
        assert points_to_expire(tx, CATALOGUE, soon) == (), "a system that was deleted by mistake"
        left = {each.point.id for each in points_to_expire(tx, CATALOGUE, later)}
        pinned = {p.id for p in tx.recovery_points(live=True)} - left
    assert len(pinned) == 4


def test_nothing_goes_because_a_system_had_to_move_to_another_building(store: Store) -> None:
    for day in range(3):
        work(store, BEGIN + timedelta(days=day, hours=23, minutes=45))
    before = taken(store)
    with store.write() as tx:
        here = tx.repository(CELLAR)
        there = Repository.domains_of(SiteId("kyoto-hill"), ())
        tx.save_repository(replace(here, site=SiteId("kyoto-hill"), domains=there))
        assert points_to_expire(tx, CATALOGUE, BEGIN + timedelta(days=3)) == ()
        assert copies_due(tx, CATALOGUE, BEGIN + timedelta(days=3)) == (), "it lies there already"
        (wanted,) = next_runs(tx, CATALOGUE, BEGIN + timedelta(days=4))
        assert wanted.home.id == CELLAR
    assert taken(store) == before


def test_damage_is_told_counted_and_healed_from_elsewhere(store: Store) -> None:
    work(store, BEGIN + timedelta(hours=23, minutes=45))
    now = BEGIN + timedelta(hours=24)
    with store.write() as tx:
        (point,) = tx.recovery_points(live=True)
        here, there = (
            found_damage(
                tx, each, point.tenant, now, key="packs/ab", what="a bit", points=[point.id]
            )
            for each in (CELLAR, AFAR)
        )
        again = found_damage(
            tx, CELLAR, point.tenant, now, key="packs/ab", what="a bit", points=[point.id]
        )
        assert again == here
        assert isinstance(tx.recovery_point(point.id).standing, Damaged)
        lost_for_now(tx, here.id, now)
        healed_damage(tx, there.id, CELLAR, now)
        found = tx.recovery_point(point.id)
        assert isinstance(found.standing, Complete)
        assert found.held_in() == (AFAR,)
        # The near repository lacks it: it is copied there anew, and what lay there is whole again.
        assert [each.target.id for each in copies_due(tx, CATALOGUE, now)] == [CELLAR]
        begin_copy(tx, point.id, CELLAR, now)
        finish_copy(tx, point.id, CELLAR, now, 10)
        assert tx.recovery_point(point.id).held_in() == (CELLAR, AFAR)
        kinds = [event.kind for event in tx.events(0, 50)]
    assert kinds == [
        "backup.damage-found",
        "backup.damage-found",
        "backup.damage-lost",
        "backup.damage-healed",
    ]


def test_a_restore_is_tried_again_and_ends_once(store: Store) -> None:
    work(store, BEGIN)
    with store.write() as tx:
        (point,) = tx.recovery_points()
        job = RestoreJob(
            RestoreId("rs-1"),
            point.tenant,
            point.id,
            point.system,
            RestoreTarget(RestoreTo.NEW),
            "佐藤",
            BEGIN,
            Waiting(BEGIN),
        )
        tx.add_restore(job)
        begin_restore(tx, job.id, BEGIN, "keeper-1")
        assert restores_waiting(tx, BEGIN) == ()
        fail_restore(tx, job.id, BEGIN, WHY, BEGIN + timedelta(minutes=5))
        assert restores_waiting(tx, BEGIN) == ()
        (waiting,) = restores_waiting(tx, BEGIN + timedelta(minutes=5))
        begin_restore(tx, waiting.id, BEGIN, "keeper-1")
        assert isinstance(finish_restore(tx, job.id, BEGIN).standing, Restored)
        with pytest.raises(StepRefused):
            finish_restore(tx, job.id, BEGIN)

"""What is on record of backups comes back as it was put in, on either database, and is guarded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from control_plane.model.backup.declaration import DisasterDeclaration
from control_plane.model.backup.ids import (
    BackupRunId,
    DeclarationId,
    FindingId,
    KeyTaskId,
    LinkId,
    RecoveryPointId,
    RepositoryId,
    RestoreId,
    RestoreTestId,
)
from control_plane.model.backup.member_copy import MemberCopy
from control_plane.model.backup.places import LocationRule, Repository
from control_plane.model.backup.points import (
    Copying,
    DiskFacts,
    PointCopy,
    Proof,
    RecoveryPointRecord,
    ServerPoint,
    Taking,
)
from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPlace, BackupPolicy
from control_plane.model.backup.scrubbing import Found, ScrubFinding, ScrubState
from control_plane.model.backup.sharing import Link
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.model.backup.work import (
    BackupRun,
    KeyErrand,
    KeyTask,
    Requested,
    RestoreJob,
    RestoreTarget,
    RestoreTest,
    RestoreTo,
    Trouble,
    Waiting,
    begun,
)
from control_plane.model.errors import YuiError
from control_plane.model.hours import DailyHours, MinuteOfDay, Weekday
from control_plane.model.ids import RegionId, ServerId, SiteId, SystemId
from control_plane.model.membership import Person
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import LostRace, Store
from control_plane.store.recovery_points import SetPolicy
from tests.store import samples

UJI, MIKASA = MunicipalityCode("262048"), MunicipalityCode("012220")
KYOTO = RegionId("kyoto")
NOW = datetime(2026, 4, 1, 14, 30, tzinfo=UTC)
HILL, AFAR = RepositoryId("hill"), RepositoryId("kagoshima")
SYSTEM, POINT = SystemId("sys-1"), RecoveryPointId("rp-20260401t143000z-aaaa")
WHY = Trouble("The host was away.", "ホストが応答しませんでした。")


def test_places_and_rules_come_back_as_they_were(store: Store) -> None:
    hill = Repository(
        HILL,
        "丘の書庫",
        "s3://hill/yui?endpoint=https://rgw.example.jp",
        "env:HILL",
        "京都府",
        KYOTO,
        SiteId("kyoto-hill"),
        Repository.domains_of(SiteId("kyoto-hill"), ["fault-a"]),
        lock_days=30,
    )
    own = Repository(AFAR, "三笠市", "file:///srv/own", "env:OWN", "北海道", tenant=MIKASA)
    night = DailyHours(MinuteOfDay(1200), MinuteOfDay(360))
    link = Link(LinkId("lgwan"), frozenset({KYOTO, RegionId("hokkaido")}), 20, night, 120)
    law = LocationRule(
        UJI, frozenset({"京都府"}), frozenset({KYOTO}), "条例", date(2026, 3, 1), "u-1", NOW
    )
    with store.write() as tx:
        tx.add_repository(hill)
        tx.add_repository(own)
        tx.put_link(link)
        tx.put_location_rule(law)
        tx.put_link(link)
        seen = replace(hill, checked_at=NOW, trouble="it is full", former_key_ref="env:BEFORE")
        changed = tx.save_repository(seen)
        with pytest.raises(LostRace):
            tx.save_repository(hill)
        tx.remember_description(HILL, '{"format":"yui-repository"}')
        changed = tx.save_repository(changed)
    with store.read() as tx:
        assert tx.repositories() == (changed, own)
        assert tx.repository_description(HILL) == '{"format":"yui-repository"}'
        assert tx.repository_description(AFAR) is None
        assert tx.repositories(UJI) == (changed,)
        assert tx.repositories(MIKASA) == (changed, own)
        assert tx.links() == (replace(link, generation=2),)  # type: ignore[arg-type]
        assert tx.location_rules() == (law,)
        with pytest.raises(YuiError, match="There is no repository"):
            tx.repository(AFAR, UJI)


def test_a_point_and_its_copies_live_their_lives(store: Store) -> None:
    disk = DiskFacts("root", 10 * 2**30, 2**20, 2**16, "full", "the bitmap was lost")
    taking = RecoveryPointRecord(
        POINT,
        UJI,
        SYSTEM,
        "住民記録",
        KYOTO,
        BackupRunId("run-1"),
        NOW,
        Taking(NOW),
        keep_until=NOW,
    )
    with store.write() as tx:
        tx.add_recovery_point(taking)
    with store.read() as tx:
        assert tx.recovery_point(POINT, UJI) == taking
        assert tx.newest_points(NOW) == {}
        with pytest.raises(YuiError, match="There is no recovery point"):
            tx.recovery_point(POINT, MIKASA)
    held = Copying(NOW).arrived(NOW, 99)
    complete = taking.standing.complete(NOW)  # type: ignore[union-attr]
    damaged = complete.proved(Proof(RestoreTestId("t-1"), NOW)).damaged(NOW, "a pack is gone")
    with store.write() as tx:
        saved = tx.save_recovery_point(
            replace(
                taking,
                standing=damaged,
                servers=(
                    ServerPoint(ServerId("s-1"), "db", "20260401T143000Z-0", "crash", (disk,)),
                ),
                copies=(
                    PointCopy(HILL, held.spoil(NOW, "a bit flipped")),
                    PointCopy(AFAR, Copying(NOW, 1, 2)),
                ),
                stored_bytes=5,
            )
        )
        with pytest.raises(LostRace):
            tx.save_recovery_point(taking)
    with store.read() as tx:
        assert tx.recovery_points(UJI, live=True) == (saved,)
        assert tx.points_in(HILL) == (saved,)
    assert saved.held_in() == ()
    with store.write() as tx:
        healed = tx.save_recovery_point(
            replace(saved, standing=damaged.healed(), copies=(PointCopy(HILL, held),))
        )
    with store.read() as tx:
        assert tx.newest_points(NOW) == {SYSTEM: NOW}
        assert tx.newest_points(NOW - timedelta(seconds=1)) == {}
        assert tx.recovery_points(system=SYSTEM) == (healed,)
        assert tx.points_in(AFAR) == ()
    assert healed.proven_at == NOW


def test_what_is_asked_of_the_worker_stays_until_it_is_done(store: Store) -> None:
    run = BackupRun(BackupRunId("run-1"), UJI, SYSTEM, NOW, Requested(NOW), (0, 2))
    target = RestoreTarget(RestoreTo.FILE, (ServerId("s-1"),), ("root",), format="qcow2")
    job = RestoreJob(RestoreId("rs-1"), UJI, POINT, SYSTEM, target, "u-1", NOW, Waiting(NOW))
    test = RestoreTest(RestoreTestId("t-1"), UJI, SYSTEM, POINT, HILL, NOW, NOW, WHY)
    one, other = Person("u-1", "佐藤"), Person("u-2", "鈴木")
    asked = begun(KeyErrand.DESTROY, one, NOW)
    task = KeyTask(KeyTaskId("k-1"), UJI, KeyErrand.DESTROY, "退会", asked, NOW)
    with store.write() as tx:
        tx.add_backup_run(run)
        tx.add_restore(job)
        tx.add_restore_test(test)
        tx.add_key_task(task)
    running = Requested(NOW).begin(NOW, "keeper-1")
    with store.write() as tx:
        begun_run = tx.save_backup_run(replace(run, standing=running, point=POINT))
        tx.save_restore(replace(job, standing=Waiting(NOW).begin(NOW, "keeper-1").again(NOW, WHY)))
        agreed = asked.agree(other, NOW)  # type: ignore[union-attr]
        tx.save_key_task(replace(task, standing=agreed))
        with pytest.raises(LostRace):
            tx.save_backup_run(run)
    with store.read() as tx:
        assert tx.backup_runs(UJI, open_only=True) == (begun_run,)
        (waiting,) = tx.restores(open_only=True)
        assert waiting.standing == Waiting(NOW, 1, WHY)
        assert waiting.target == target
        assert tx.newest_restore_tests() == {SYSTEM: test}
        assert tx.key_tasks(UJI, open_only=True)[0].standing == agreed
        assert tx.last_failed_runs() == {}
    with store.write() as tx:
        tx.save_backup_run(replace(begun_run, standing=running.fail(NOW, WHY)))
    with store.read() as tx:
        assert tx.backup_runs(open_only=True) == ()
        assert tx.last_failed_runs()[SYSTEM].standing == running.fail(NOW, WHY)


def test_disasters_findings_and_what_was_told_are_remembered(store: Store) -> None:
    quake = DisasterDeclaration(
        DeclarationId("d-1"),
        NOW,
        timedelta(hours=72),
        timedelta(hours=24),
        "地震",
        "u-1",
        NOW,
        KYOTO,
        frozenset({UJI}),
    )
    scrub = ScrubState(HILL, UJI, NOW).advanced("tenants/262048/packs/ab", 7)
    finding = ScrubFinding(FindingId("f-1"), HILL, UJI, "k", "a bit", NOW, Found(NOW), (POINT,))
    with store.write() as tx:
        tx.add_disaster(quake)
        tx.put_scrub_state(scrub)
        tx.put_scrub_state(scrub.ended(NOW))
        tx.add_scrub_finding(finding)
        tx.set_told_breaches({(SYSTEM, "copy-late", HILL): NOW})
    with store.read() as tx:
        assert tx.disasters(in_force=True) == (quake,)
        assert tx.scrub_states() == (scrub.ended(NOW),)
        assert tx.scrub_findings(UJI, open_only=True) == (finding,)
        assert tx.told_breaches() == {(SYSTEM, "copy-late", HILL): NOW}
    with store.write() as tx:
        tx.save_disaster(quake.revoke(NOW, "u-2", "復旧"))
        tx.save_scrub_finding(replace(finding, standing=Found(NOW).heal(NOW, AFAR)))
    with store.read() as tx:
        assert tx.disasters(in_force=True) == ()
        assert tx.disaster(quake.id).revoked == quake.revoke(NOW, "u-2", "復旧").revoked
        assert tx.scrub_findings(open_only=True) == ()


def test_how_the_upkeep_of_repositories_goes_is_remembered(store: Store) -> None:
    cleared = Upkeep(HILL, UJI, UpkeepWork.COLLECTING).done(NOW)
    failing = replace(cleared.failed(NOW + timedelta(days=1), WHY), told=True)
    still = failing.failed(NOW + timedelta(days=2), WHY)
    assert (still.failing_since, still.told) == (failing.failing_since, True)
    copying = Upkeep(AFAR, UJI, UpkeepWork.COPYING).failed(NOW, WHY)
    with store.write() as tx:
        for each in (copying, cleared, failing):
            tx.put_upkeep(each)
    with store.read() as tx:
        assert tx.upkeep() == (failing, copying)
    with store.write() as tx:
        tx.remove_upkeep(failing)
        tx.remove_upkeep_of(AFAR)
    with store.read() as tx:
        assert tx.upkeep() == ()


def test_a_systems_own_policy_goes_with_the_system(store: Store) -> None:
    policy = BackupPolicy(
        24,
        (
            BackupCopy(
                BackupInterval.WEEK,
                8,
                (BackupPlace.OFF_SITE, BackupPlace.MEMBER),
                MinuteOfDay(1320),
                MinuteOfDay(360),
                Weekday.SAT,
            ),
        ),
        168,
        (KYOTO,),
        test_every_days=None,
    )
    samples.furnish(store)
    system = samples.SYSTEM
    with store.write() as tx:
        tx.set_backup_policy(system, SetPolicy(policy, "u-1", NOW))
        tx.set_backup_policy(system, SetPolicy(policy, "u-2", NOW))
    with store.read() as tx:
        found = tx.backup_policy(system)
        assert found == SetPolicy(policy, "u-2", NOW, 2)  # type: ignore[arg-type]
        assert tx.backup_policies() == {system: found}
    with store.write() as tx:
        tx.remove_system(system)
    with store.read() as tx:
        assert tx.backup_policies() == {}


def test_a_members_word_of_what_it_has_at_home_is_kept_and_never_grows_older(store: Store) -> None:
    system = SystemId("m012220-library")
    newer = MemberCopy(system, MIKASA, RecoveryPointId("rp-2"), NOW, NOW, "鈴木")
    day = timedelta(days=1)
    older = replace(newer, point=RecoveryPointId("rp-1"), taken_at=NOW - day, told_at=NOW + day)
    with store.write() as tx:
        assert tx.put_member_copy(newer) == newer
        assert tx.put_member_copy(older) == newer
        again = replace(newer, told_at=NOW + day)
        assert tx.put_member_copy(again) == again
    with store.read() as tx:
        assert tx.member_copies() == tx.member_copies(MIKASA) == {system: again}
        assert tx.member_copies(UJI) == {}

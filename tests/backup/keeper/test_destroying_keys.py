"""Keys that are destroyed in several repositories are so in all of them, whatever befalls whoever does it,
and until then nothing brings one of them back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup.keeper.vaults import Vaults
from backup.repository import Keyring
from control_plane.drivers.simulated.objects import Bucket
from control_plane.model.access import AuditEntry
from control_plane.model.backup.ids import KeyTaskId, RepositoryId
from control_plane.model.backup.work import (
    Agreed,
    Carried,
    Failed,
    KeyErrand,
    KeyStanding,
    KeyTask,
    Requested,
)
from control_plane.model.membership import Person
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import FAR, MEMBER
from tests.backup.keeper.test_copies_and_damage import NEAR, NEAR_PLACE, TwoPlaces

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TASK = KeyTaskId("kt-keys")
KEYRING = f"tenants/{MEMBER.code}/keyring/"


class TwoKeyrings(TwoPlaces):
    """One point, whole in both places."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.point = self.until_copied()
        self.seal_key = self.keyring(NEAR).sealing.id

    def bucket_of(self, repository: RepositoryId) -> Bucket:
        return self.world.bucket(NEAR_PLACE) if repository == NEAR else self.bucket

    def agree(self, errand: KeyErrand = KeyErrand.DESTROY) -> None:
        with self.store.write() as tx:
            now = self.world.clock.now()
            both = Person("u-1", "佐藤"), Person("u-2", "鈴木")
            task = KeyTask(TASK, MEMBER.code, errand, "It is time.", Agreed(now, *both), now)
            tx.add_key_task(task)

    def standing(self) -> KeyStanding:
        with self.store.read() as tx:
            return tx.key_task(TASK).standing

    def keyring(self, repository: RepositoryId) -> Keyring:
        with self.store.read() as tx:
            found = tx.repository(repository)
        with Vaults(self.world).open(found, MEMBER.code).vault as vault:
            return vault.keyring

    def keys_in(self) -> set[RepositoryId]:
        """Where the keys are that the point was sealed with. Others may be there, for later points."""
        there = [id for id in (NEAR, FAR) if self.bucket_of(id).keys(KEYRING)]
        return {id for id in there if self.keyring(id).seal_key(self.seal_key)}

    def held_in(self) -> tuple[RepositoryId, ...]:
        with self.store.read() as tx:
            return tx.recovery_point(self.point.id).held_in()

    def trail(self) -> list[AuditEntry]:
        with self.store.read() as tx:
            return [each for each in tx.audit(0, 1000) if "backup.keys" in each.action]

    def until_killed(self, call: str, nth: int) -> None:
        """The keeper's process ends right before the `nth` such call, and another takes over."""
        gate, made = self.vantage.gate, 0

        def called(name: str) -> None:
            nonlocal made
            made += name == call
            if made == nth:
                gate.kill()

        gate.before_call = called
        keeper, clock = self.keeper, self.vantage.clock

        def live() -> None:
            while True:
                keeper.tick()
                clock.sleep(Seconds(1))

        self.world.virtual_clock.spawn(live)
        for _ in range(60):
            self.world.virtual_clock.sleep(Seconds(1))
            if gate.killed:
                break
        assert gate.killed
        self.begin_anew()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[TwoKeyrings]:
    stand = TwoKeyrings(tmp_path)
    yield stand
    stand.close()


def record(stand: TwoKeyrings) -> dict[str, dict[str, object]]:
    done = stand.standing()
    assert isinstance(done, Carried)
    found = json.loads(done.result or "")
    assert isinstance(found, dict)
    return found


@pytest.mark.long
@pytest.mark.parametrize("where", [NEAR, FAR])
def test_while_one_keyring_is_locked_nothing_is_destroyed_and_it_is_said_when_it_can_be(
    stand: TwoKeyrings, where: RepositoryId
) -> None:
    objects = stand.world.objects(stand.bucket_of(where).place)
    objects.lock(f"{KEYRING}00000001.json", objects.now() + timedelta(days=300))
    stand.agree()
    stand.keep(2 * MINUTE, Seconds(20))
    refused = stand.standing()
    assert isinstance(refused, Failed)
    assert stand.keys_in() == {NEAR, FAR}
    assert set(stand.held_in()) == {NEAR, FAR}
    for said in (refused.trouble.en, refused.trouble.ja):
        assert where in said
        assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d", said)
    # A Japanese sentence with nothing English in it but names.
    assert not re.search(r"[a-z]+ [a-z]+ [a-z]+", refused.trouble.ja)
    (event,) = stand.events("backup.keys-failed")
    assert event.tenant == MEMBER.code.text
    assert refused.trouble.ja in event.ja
    assert [(each.action, each.outcome) for each in stand.trail()] == [
        ("backup.keys-destroy", "backup-keys-locked")
    ]
    # And backups go on as before.
    stand.keep(30 * HOUR)
    assert len(stand.points()) == 2


@pytest.mark.long
@pytest.mark.parametrize("where", [NEAR, FAR])
def test_where_keys_cannot_be_deleted_for_a_day_they_go_after_it_and_none_comes_back(
    stand: TwoKeyrings, where: RepositoryId
) -> None:
    stand.bucket_of(where).fail(call="delete", times=30)
    stand.agree()
    stand.keep(5 * MINUTE, Seconds(20))
    stand.ask()
    stand.keep(30 * HOUR)
    held_up = stand.standing()
    assert isinstance(held_up, Agreed)
    assert held_up.trouble is not None
    assert stand.keys_in() == {where}
    assert (stand.held_in(), stand.points()) == ((), [])
    assert len(stand.events("backup.keys-held-up")) == 1
    assert not stand.events("backup.damage-found") + stand.events("backup.damage-lost")
    (waiting,) = waiting_runs(stand)
    assert "破棄" in waiting
    stand.keep(30 * HOUR)
    assert set(record(stand)) == {NEAR, FAR}
    assert [each.action.removeprefix("backup.keys-destroy") for each in stand.trail()] == [
        "-begun",
        "-step",
        "-step",
        "",
    ]
    assert len(stand.events("backup.keys-destroy-step")) == 2


def waiting_runs(stand: TwoKeyrings) -> list[str]:
    with stand.store.read() as tx:
        standings = [run.standing for run in tx.backup_runs(open_only=True)]
    return [each.trouble.ja for each in standings if isinstance(each, Requested) and each.trouble]


@pytest.mark.long
@pytest.mark.parametrize("nth", [1, 2])
def test_a_control_plane_that_dies_while_it_destroys_is_followed_by_one_that_ends_it(
    stand: TwoKeyrings, nth: int
) -> None:
    stand.agree()
    stand.until_killed("objects.delete", nth)
    assert len(stand.keys_in()) == 3 - nth
    # What may be gone counts no more.
    assert stand.held_in() == ()
    stand.keep(5 * MINUTE, Seconds(20))
    assert stand.keys_in() == set()
    told = record(stand)
    assert {id: each["generations"] for id, each in told.items()} == {NEAR: [1], FAR: [1]}
    assert {each["points"] for each in told.values()} == {2}
    assert len(stand.events("backup.keys-destroy-step")) == 2
    assert len(stand.events("backup.keys-destroy")) == 1


@pytest.mark.long
def test_a_repository_that_is_not_in_its_place_keeps_the_others_keys_from_being_destroyed(
    stand: TwoKeyrings,
) -> None:
    far = stand.world.objects(stand.bucket.place)
    kept = {each.key: far.get(each.key) for each in far.list("")}
    stand.bucket.burn_down()
    stand.agree()
    stand.keep(2 * MINUTE, Seconds(20))
    assert isinstance(stand.standing(), Agreed)
    assert stand.keys_in() == {NEAR}
    for key, data in kept.items():
        far.put(key, data)
    stand.keep(5 * MINUTE, Seconds(20))
    assert set(record(stand)) == {NEAR, FAR}
    assert stand.keys_in() == set()


@pytest.mark.long
@pytest.mark.parametrize("call", ["objects.put", "objects.list"])
def test_keys_are_rotated_once_by_however_many_control_planes(
    stand: TwoKeyrings, call: str
) -> None:
    # The second put is the other repository's; of what is listed, what follows the first put.
    stand.agree(KeyErrand.ROTATE)
    stand.until_killed(call, 2 if call == "objects.put" else 6)
    stand.keep(5 * MINUTE, Seconds(20))
    assert isinstance(stand.standing(), Carried)
    rings = [stand.keyring(id) for id in (NEAR, FAR)]
    assert rings[0] == rings[1]
    assert len(rings[0].seal_keys) == 2
    (step,) = [each for each in stand.trail() if each.action == "backup.keys-rotate-step"]
    assert step.hardware
    assert step.hardware["after"] == rings[0].seal_keys[0].id


def test_what_is_asked_of_keys_and_cannot_be_done_is_told_and_on_the_trail(
    stand: TwoKeyrings,
) -> None:
    with stand.store.write() as tx:
        now = stand.world.clock.now()
        agreed = Agreed(now, Person("u-1", "佐藤"), None)
        task = KeyTask(TASK, MEMBER.code, KeyErrand.ESCROW, "For the safe.", agreed, now)
        tx.add_key_task(replace(task, recipient="bm8ga2V5"))
    stand.keep(2 * MINUTE, Seconds(20))
    assert isinstance(stand.standing(), Failed)
    (event,) = stand.events("backup.keys-failed")
    assert event.tenant == MEMBER.code.text
    assert "X25519" in event.for_member().en
    (entry,) = stand.trail()
    assert (entry.action, entry.outcome) == ("backup.keys-escrow", "escrow-recipient-invalid")

"""A repository whose key has leaked gets another: every member's keys are wrapped by it, once, whatever
befalls whoever does it, and what is backed up stays readable all the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup.repository import Repository as OpenRepository
from backup.repository import RepositoryKey
from control_plane.model.backup.ids import KeyTaskId
from control_plane.model.backup.work import Agreed, KeyErrand, KeyTask
from control_plane.model.errors import YuiError
from control_plane.model.membership import Person
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import FAR, MEMBER, Stand

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OTHER = MunicipalityCode("261009")
OLD, NEW = RepositoryKey.parse("11" * 32), RepositoryKey.parse("22" * 32)


class OneKey(Stand):
    """With a recovery point, and another member's keyring beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.new_key = folder / "new.key"
        self.new_key.write_text("22" * 32)
        self.keep(MINUTE, Seconds(20))
        self.objects = self.world.objects(self.bucket.place)
        OpenRepository.open(self.objects, OLD).vault(OTHER, create=True).close()

    def name_another_key(self) -> None:
        with self.store.write() as tx:
            found = tx.repository(FAR)
            known = replace(found, key_ref=f"file:{self.new_key}", former_key_ref=found.key_ref)
            tx.save_repository(known)

    def opens(self, key: RepositoryKey) -> list[MunicipalityCode]:
        opened = []
        for tenant in (MEMBER.code, OTHER):
            with suppress(YuiError):
                OpenRepository.open(self.objects, key).vault(tenant).close()
                opened.append(tenant)
        return opened

    def under_way(self) -> bool:
        with self.store.read() as tx:
            return tx.repository(FAR).former_key_ref is not None

    def keyrings(self, tenant: MunicipalityCode) -> list[str]:
        return [key.rpartition("/")[2] for key in self.bucket.keys(f"tenants/{tenant}/keyring/")]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[OneKey]:
    stand = OneKey(tmp_path)
    yield stand
    stand.close()


def test_all_members_keys_are_wrapped_by_the_new_key_and_the_old_one_opens_nothing(
    stand: OneKey,
) -> None:
    stand.name_another_key()
    stand.keep(MINUTE, Seconds(20))
    assert (stand.opens(NEW), stand.opens(OLD)) == ([MEMBER.code, OTHER], [])
    assert not stand.under_way()
    (done,) = stand.events("repository.rewrapped")
    assert f"file:{stand.key}" in done.en
    assert done.tenant is None
    told = [event.tenant for event in stand.events("backup.keys-rewrap")]
    assert told == [MEMBER.code.text, OTHER.text]
    # The old key is needed no more: not for what was kept, nor for what comes.
    stand.key.unlink()
    stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    assert stand.insist_on_bytes(stand.points()) == 4


@pytest.mark.long
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("call", ["objects.put", "objects.delete"])
def test_a_control_plane_that_dies_while_it_wraps_is_followed_by_one_that_ends_it(
    stand: OneKey, call: str, nth: int
) -> None:
    made = 0

    def called(name: str) -> None:
        nonlocal made
        made += name == call
        if made == nth:
            stand.vantage.gate.kill()

    def live() -> None:
        keeper, clock = stand.keeper, stand.vantage.clock
        while True:
            keeper.tick()
            clock.sleep(Seconds(1))

    stand.vantage.gate.before_call = called
    stand.name_another_key()
    stand.world.virtual_clock.spawn(live)
    for _ in range(30):
        stand.world.virtual_clock.sleep(Seconds(1))
    assert stand.vantage.gate.killed
    # One of the two opens each, at any time.
    assert {*stand.opens(NEW), *stand.opens(OLD)} == {MEMBER.code, OTHER}
    assert stand.under_way()
    stand.begin_anew()
    stand.keep(5 * MINUTE, Seconds(20))
    assert (stand.opens(NEW), stand.opens(OLD)) == ([MEMBER.code, OTHER], [])
    assert [stand.keyrings(each) for each in (MEMBER.code, OTHER)] == [["00000002.json"]] * 2
    assert not stand.under_way()
    assert stand.insist_on_bytes(stand.points()) == 2


@pytest.mark.long
def test_what_the_old_key_opens_goes_when_its_lock_ends(stand: OneKey) -> None:
    stand.objects.lock(
        f"tenants/{OTHER}/keyring/00000001.json", stand.objects.now() + timedelta(hours=3)
    )
    stand.name_another_key()
    stand.keep(2 * MINUTE, Seconds(20))
    assert stand.opens(NEW) == [MEMBER.code, OTHER]
    assert stand.under_way()
    assert stand.keyrings(OTHER) == ["00000001.json", "00000002.json"]
    (held_up,) = stand.events("repository.rewrap-held-up")
    assert "オブジェクトロック" in held_up.ja
    # What takes the place of what is locked is locked as long.
    assert stand.objects.stat(f"tenants/{OTHER}/keyring/00000002.json").locked_until is not None
    stand.keep(6 * HOUR)
    assert not stand.under_way()
    assert stand.keyrings(OTHER) == ["00000002.json"]
    assert len(stand.events("repository.rewrapped")) == 1


def test_keys_that_are_to_be_destroyed_are_not_put_anew(stand: OneKey) -> None:
    stand.bucket.fail(call="delete", times=3)
    with stand.store.write() as tx:
        now = stand.world.clock.now()
        both = Person("u-1", "佐藤"), Person("u-2", "鈴木")
        id, agreed = KeyTaskId("kt-keys"), Agreed(now, *both)
        tx.add_key_task(KeyTask(id, MEMBER.code, KeyErrand.DESTROY, "It is time.", agreed, now))
    stand.keep(timedelta(seconds=30), Seconds(10))
    stand.name_another_key()
    stand.keep(timedelta(seconds=40), Seconds(10))
    assert stand.keyrings(MEMBER.code) == ["00000001.json"]
    stand.keep(30 * MINUTE, Seconds(60))
    assert len(stand.events("backup.keys-destroy")) == 1
    assert not stand.under_way()
    assert stand.opens(OLD) == []

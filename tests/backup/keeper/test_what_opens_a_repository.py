"""Whatever rots in a repository is found, named and put right, also where nothing there opens because of it;
and what can't be is never said to be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from backup.keeper.vaults import Vaults
from backup.repository.scrub import damage_of
from control_plane.model.backup.ids import KeyTaskId
from control_plane.model.backup.points import Spoiled
from control_plane.model.backup.scrubbing import Healed, Lost, ScrubFinding
from control_plane.model.backup.work import Carried, KeyErrand, KeyTask
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import FAR, MEMBER, PLACE, Stand
from tests.backup.keeper.test_copies_and_damage import HOUR, NEAR, NEAR_PLACE, TwoPlaces, rot
from tests.backup.keeper.test_keys_and_pins import SATO, SUZUKI

KEYRING = f"tenants/{MEMBER.code}/keyring/00000001.json"
DAY = timedelta(days=1)
OFTEN = Seconds(900)
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoPlaces]:
    """Healed by each test of what it damages."""
    stand = TwoPlaces(tmp_path_factory.mktemp("both"))
    stand.until_copied()
    stand.keep(2 * HOUR, OFTEN)
    yield stand
    stand.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[TwoPlaces]:
    stand = TwoPlaces(tmp_path)
    stand.until_copied()
    stand.keep(HOUR, OFTEN)
    yield stand
    stand.close()


def findings(stand: Stand, *, open_only: bool = True) -> list[ScrubFinding]:
    with stand.store.read() as tx:
        return list(tx.scrub_findings(open_only=open_only))


def flipped(stand: Stand, key: str, thousandth: int) -> None:
    bucket = stand.world.bucket(NEAR_PLACE)
    bucket.flip(key, len(bucket.bytes_of(key)) * thousandth // 1000)


def letter(stand: Stand, key: str) -> None:
    """Another letter in what is sealed, so that it stays what the format allows for."""
    near = stand.world.objects(NEAR_PLACE)
    data = near.get(key)
    at = data.index(b'"wrapped":"') + 40
    near.put(key, data[:at] + (b"1" if data[at : at + 1] != b"1" else b"2") + data[at + 1 :])


def insist_that_all_is_whole(stand: TwoPlaces) -> None:
    near = stand.world.objects(NEAR_PLACE)
    with stand.store.read() as tx:
        repository = tx.repository(NEAR)
    with Vaults(stand.world).open(repository, MEMBER.code).vault as vault:
        for facts in near.list("tenants/"):
            wrong = damage_of(near, str(MEMBER.code), facts.key, keyring=vault.keyring)
            assert wrong is None
        for point in vault.points():
            assert sum(len(data) for _, data in vault.read(vault.point(point), "root").stream(1))
    assert findings(stand) == []
    assert all(set(point.held_in()) == {NEAR, FAR} for point in stand.points())


@pytest.mark.parametrize("thousandth", [0, 20, 480, 700, 999])
def test_a_byte_that_rots_in_each_object_there_is_found_and_put_right(
    both: TwoPlaces, thousandth: int
) -> None:
    keys = both.world.bucket(NEAR_PLACE).keys()
    assert {"repository.json", KEYRING} < set(keys)
    before = {each.id for each in findings(both, open_only=False)}
    for key in keys:
        flipped(both, key, thousandth)
    both.keep(8 * HOUR, OFTEN)
    found = [each for each in findings(both, open_only=False) if each.id not in before]
    assert {each.key for each in found} == set(keys)
    assert len(found) == len(keys)
    insist_that_all_is_whole(both)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("key", ["repository.json", KEYRING])
def test_what_opens_a_repository_is_put_right_before_the_next_night(
    both: TwoPlaces, key: str, cut: bool
) -> None:
    before = {each.id for each in findings(both, open_only=False)}
    if cut:
        both.world.bucket(NEAR_PLACE).truncate(key, 50)
    elif key == KEYRING:
        letter(both, key)
    else:
        flipped(both, key, 300)
    both.keep(4 * HOUR, OFTEN)
    (found,) = [each for each in findings(both, open_only=False) if each.id not in before]
    assert found.key == key
    assert set(found.points) >= {point.id for point in both.points()}
    assert isinstance(found.standing, Healed)
    assert found.standing.source == (FAR if key == KEYRING else NEAR)
    insist_that_all_is_whole(both)
    assert both.events("backup.failed") == []


def test_keys_that_no_other_region_has_are_said_to_be_lost_and_never_to_be_healed(
    stand: TwoPlaces,
) -> None:
    letter(stand, KEYRING)
    stand.bucket.cut_link()
    stand.keep(6 * HOUR, OFTEN)
    (found,) = findings(stand)
    assert (found.repository, found.key) == (NEAR, KEYRING)
    assert isinstance(found.standing, Lost)
    assert "does not open" in found.what
    assert stand.events("backup.damage-healed") == []
    assert len(stand.events("backup.damage-lost")) == 1
    (point,) = [p for p in stand.points() if p.id in found.points]
    copy = point.copy_in(NEAR)
    assert copy is not None
    assert isinstance(copy.standing, Spoiled)
    # The region that has it comes back.
    stand.bucket.restore_link()
    stand.keep(4 * HOUR, OFTEN)
    assert findings(stand) == []
    healed = findings(stand, open_only=False)[0].standing
    assert isinstance(healed, Healed)
    assert healed.source == FAR


def test_what_rots_beside_keys_that_do_not_open_is_put_right_all_the_same(
    stand: TwoPlaces,
) -> None:
    far = stand.world.objects(PLACE)
    far.lock("repository.json", far.now() + DAY)
    stand.bucket.truncate("repository.json", 10)
    letter(stand, KEYRING)
    rotten = rot(stand, NEAR_PLACE)
    stand.keep(8 * HOUR, OFTEN)
    left = {(each.repository, each.key) for each in findings(stand)}
    assert left == {(NEAR, KEYRING), (FAR, "repository.json")}
    assert len(stand.events("backup.damage-healed")) == rotten


def test_a_keyring_that_is_lost_comes_back_and_one_that_is_destroyed_does_not(
    stand: TwoPlaces,
) -> None:
    near = stand.world.bucket(NEAR_PLACE)
    near.lose(KEYRING)
    stand.keep(4 * HOUR, OFTEN)
    assert near.keys(f"tenants/{MEMBER.code}/keyring/") == [KEYRING]
    assert findings(stand) == []
    letter(stand, KEYRING)
    stand.bucket.cut_link()
    stand.keep(4 * HOUR, OFTEN)
    (found,) = findings(stand)
    assert found.key == KEYRING
    # What was found is still to be seen to when the keys are gone for good.
    near.lose(KEYRING)
    stand.bucket.restore_link()
    with stand.store.write() as tx:
        now = stand.world.clock.now()
        gone = Carried(now, SATO, SUZUKI, "{}")
        task = KeyTask(KeyTaskId("gone"), MEMBER.code, KeyErrand.DESTROY, "", gone, now, NEAR)
        tx.add_key_task(task)
    stand.keep(8 * HOUR, OFTEN)
    assert near.keys(f"tenants/{MEMBER.code}/keyring/") == []


def test_one_repository_that_is_away_keeps_no_other_from_being_put_right(
    stand: TwoPlaces,
) -> None:
    far, near = stand.world.bucket(PLACE), stand.world.objects(NEAR_PLACE)
    whole = {f.key: near.get(f.key) for f in near.list(f"tenants/{MEMBER.code}/packs/")}
    rot(stand, PLACE)
    rot(stand, NEAR_PLACE)
    stand.keep(5 * HOUR, OFTEN)
    assert {each.repository for each in findings(stand)} == {NEAR, FAR}
    first = findings(stand)[0].repository
    away, other = (FAR, NEAR) if first == FAR else (NEAR, FAR)
    back = near if other == NEAR else stand.world.objects(PLACE)
    for key, data in whole.items():
        back.put(key, data)
    (far if away == FAR else stand.world.bucket(NEAR_PLACE)).cut_link()
    stand.keep(5 * HOUR, OFTEN)
    assert {each.repository for each in findings(stand)} == {away}

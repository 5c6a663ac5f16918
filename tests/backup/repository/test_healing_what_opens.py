"""A keyring or the repository's description that rots is found by reading it, and put right only with what is
proven to be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from backup.repository import Damaged, Keyring, Repository, RepositoryKey
from backup.repository.description import heal_description, read_description
from backup.repository.heal import Healing, HealOutcome
from backup.repository.heal_keyring import KeyringElsewhere, KeyringHealing
from backup.repository.keyrings import REPOSITORY_OBJECT
from backup.repository.keys import keyring_object, unwrap, wrap
from backup.repository.scrub import damage_of, scrub
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.simulated.objects import Bucket
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds

PLACE = "s3://kyoto/backups?endpoint=https://kyoto.example&region=kyoto&credentials=env:K"
TENANT = MunicipalityCode("434311")
FIRST, SECOND = (keyring_object(str(TENANT), number) for number in (1, 2))
PREFIX = FIRST.rpartition("/")[0] + "/"


class OneRegion:
    """A repository with one recovery point, and the keyring as other regions have it."""

    def __init__(self) -> None:
        world = SimulatedWorld()
        self.objects: ObjectStore = world.objects(PLACE)
        self.bucket: Bucket = world.bucket(PLACE)
        self.key = RepositoryKey.generate()
        self.repository = Repository.create(self.objects, self.key)
        with self.repository.vault(TENANT, create=True) as vault:
            self.first = vault.keyring
        self.back_up()
        self.said = read_description(self.objects, None)

    def back_up(self) -> None:
        with self.repository.vault(TENANT) as vault, vault.begin("web", "records") as writer:
            writer.disk("root", 4096, chunk_bytes=4096).close()
            writer.commit(consistency="crash", details={})

    def rotate(self) -> Keyring:
        with self.repository.vault(TENANT) as vault:
            vault.rotate()
            return vault.keyring

    def opened(self) -> Keyring:
        with self.repository.vault(TENANT) as vault:
            return vault.keyring

    def alter(self, key: str, member: str) -> bytes:
        """Another digit, such that it stays what the format allows for; what was there."""
        data = self.bucket.bytes_of(key)
        at = data.index(f'"{member}":"'.encode()) + len(member) + 6
        other = b"2" if data[at : at + 1] == b"1" else b"1"
        self.objects.put(key, data[:at] + other + data[at + 1 :])
        return data

    def heal(
        self,
        where: str,
        *others: Keyring,
        may_be: Callable[[bool], bool] = lambda _: True,
        silent: tuple[str, ...] = (),
    ) -> Healing:
        elsewhere = [KeyringElsewhere(f"region {n}", ring) for n, ring in enumerate(others)]
        return KeyringHealing(
            self.objects, self.key, str(TENANT), elsewhere, silent, may_be=may_be
        ).heal(where)

    def findings(self, keyring: Keyring | None = None) -> list[str]:
        told = scrub(self.objects, str(TENANT), budget=1 << 30, keyring=keyring, key=self.key)
        return [each.object for each in told.findings]

    def keyrings(self) -> list[str]:
        return self.bucket.keys(PREFIX)


@pytest.fixture
def region() -> OneRegion:
    return OneRegion()


def test_a_keyring_that_rots_at_any_place_is_found_and_wrapped_again(region: OneRegion) -> None:
    size = len(region.bucket.bytes_of(FIRST))
    salvaged = 0
    for at in range(0, size, 7):
        region.bucket.flip(FIRST, at)
        assert region.findings() == [FIRST]
        told = region.heal(FIRST, region.first)
        assert told.outcome in (HealOutcome.HEALED, HealOutcome.SALVAGED)
        salvaged += told.outcome is HealOutcome.SALVAGED
        assert region.opened() == region.first
        assert region.findings(region.first) == []
    # What only wraps the secret is put right without any other region.
    assert 0 < salvaged < size // 7
    region.bucket.truncate(FIRST, 0)
    assert region.heal(FIRST, region.first).outcome is HealOutcome.HEALED
    assert region.opened() == region.first


@pytest.mark.parametrize("member", ["wrapped", "nonce", "wrapped_by", "created"])
def test_a_letter_that_rots_into_another_is_found_and_put_right(
    region: OneRegion, member: str
) -> None:
    region.alter(FIRST, member)
    with pytest.raises(Damaged):
        region.opened()
    assert region.findings() == [FIRST]
    told = region.heal(FIRST, region.first)
    sealed = member in ("wrapped", "nonce")
    assert told.outcome is (HealOutcome.HEALED if sealed else HealOutcome.SALVAGED)
    assert told.source == ("region 0" if sealed else None)
    assert region.opened() == region.first
    assert region.keyrings() == [FIRST]


def test_without_another_region_the_secret_is_gone_and_nothing_is_put(region: OneRegion) -> None:
    region.alter(FIRST, "wrapped")
    rotten = region.bucket.bytes_of(FIRST)
    told = region.heal(FIRST, silent=("s3://osaka",))
    assert told.outcome is HealOutcome.NO_COPY
    assert "s3://osaka" in told.en
    assert region.bucket.bytes_of(FIRST) == rotten
    assert region.keyrings() == [FIRST]


def test_a_region_that_has_not_received_the_newest_key_heals_nothing(region: OneRegion) -> None:
    region.rotate()
    region.alter(SECOND, "wrapped")
    assert region.heal(SECOND, region.first).outcome is HealOutcome.NO_COPY
    # Whatever the number says.
    behind = replace(region.first, generation=2)
    assert region.heal(SECOND, behind).outcome is HealOutcome.NO_COPY
    # And whatever else is not known of the damaged one.
    region.bucket.flip(SECOND, 15)
    assert region.heal(SECOND, region.first).outcome is HealOutcome.NO_COPY
    assert region.heal(SECOND, behind).outcome is HealOutcome.NO_COPY


def test_what_was_wrapped_anew_elsewhere_has_another_number_and_the_same_keys(
    region: OneRegion,
) -> None:
    region.bucket.lose(FIRST)
    region.objects.put(SECOND, wrap(region.first.next_generation(), region.key))
    region.alter(SECOND, "wrapped")
    assert region.heal(SECOND, region.first).outcome is HealOutcome.HEALED
    assert region.opened() == replace(region.first, generation=2)


def test_a_later_generation_takes_the_damaged_ones_place_under_its_own_number(
    region: OneRegion,
) -> None:
    region.alter(FIRST, "wrapped")
    later = region.first.rotated(region.objects.now().replace(microsecond=0))
    told = region.heal(FIRST, region.first, later)
    assert (told.outcome, told.source) == (HealOutcome.HEALED, "region 1")
    assert region.keyrings() == [SECOND]
    assert region.opened() == later


def test_other_keys_are_not_believed_to_be_these(region: OneRegion) -> None:
    region.bucket.flip(FIRST, 15)
    region.alter(FIRST, "wrapped")
    stranger = Keyring.generate(str(TENANT), region.objects.now().replace(microsecond=0))
    assert region.heal(FIRST, stranger).outcome is HealOutcome.NO_COPY
    assert region.heal(FIRST, stranger, region.first).source == "region 1"


def test_an_earlier_generation_that_rots_goes_as_the_newest_holds_its_keys(
    region: OneRegion,
) -> None:
    newest = region.rotate()
    region.alter(FIRST, "wrapped")
    assert region.findings(newest) == [FIRST]
    assert region.heal(FIRST).outcome is HealOutcome.SUPERSEDED
    assert region.keyrings() == [SECOND]
    assert region.opened() == newest


def test_an_earlier_generation_that_retention_keeps_is_in_nobodys_way(region: OneRegion) -> None:
    region.objects.lock(FIRST, region.objects.now() + timedelta(days=30))
    newest = region.rotate()
    region.bucket.flip(FIRST, 200)
    assert region.heal(FIRST).outcome is HealOutcome.SUPERSEDED
    assert region.findings(newest) == []


def test_what_another_repository_key_has_closed_is_no_damage(region: OneRegion) -> None:
    newest = region.rotate()
    theirs = wrap(region.first, RepositoryKey.generate())
    region.objects.put(FIRST, theirs)
    assert region.findings(newest) == []


def test_a_keyring_under_retention_is_followed_by_the_next_number(region: OneRegion) -> None:
    until = region.objects.now() + timedelta(days=30)
    region.objects.lock(FIRST, until)
    region.bucket.flip(FIRST, 200)
    # Somebody who does not answer may have given that number to other keys.
    told = region.heal(FIRST, region.first, silent=("s3://osaka",))
    assert (told.outcome, region.keyrings()) == (HealOutcome.LOCKED, [FIRST])
    assert region.heal(FIRST, region.first).outcome is HealOutcome.HEALED
    assert region.opened() == replace(region.first, generation=2)
    assert region.objects.stat(SECOND).locked_until == until
    assert region.findings(region.opened()) == []


def test_a_destroyed_keyring_never_comes_back(region: OneRegion) -> None:
    region.bucket.flip(FIRST, 200)
    with pytest.raises(Damaged):
        region.opened()
    region.bucket.lose(FIRST)
    for where in (FIRST, PREFIX):
        told = region.heal(where, region.first, may_be=lambda lost: not lost)
        assert (told.outcome, region.keyrings()) == (HealOutcome.NO_COPY, [])


@pytest.mark.parametrize("lost", [False, True])
def test_keys_that_are_destroyed_while_they_are_healed_are_gone(
    region: OneRegion, lost: bool
) -> None:
    region.bucket.flip(FIRST, 200)
    if lost:
        region.bucket.lose(FIRST)
    asked: list[bool] = []

    def may_be(_lost: bool) -> bool:
        """Somebody begins to destroy them between the two looks."""
        asked.append(bool(region.keyrings()))
        return len(asked) == 1

    told = region.heal(FIRST, region.first, may_be=may_be)
    assert (told.outcome, region.keyrings()) == (HealOutcome.NO_COPY, [])
    assert asked == [not lost, True]


def test_a_keyring_that_is_lost_comes_back_only_with_proof(region: OneRegion) -> None:
    region.bucket.lose(FIRST)
    stranger = Keyring.generate(str(TENANT), region.objects.now().replace(microsecond=0))
    assert region.heal(PREFIX, stranger).outcome is HealOutcome.NO_COPY
    assert region.heal(PREFIX, stranger, region.first).outcome is HealOutcome.HEALED
    assert region.opened() == region.first
    assert region.heal(PREFIX).outcome is HealOutcome.WHOLE


def test_a_keyring_is_wrapped_for_the_repository_in_which_it_lies(region: OneRegion) -> None:
    region.bucket.flip(FIRST, 200)
    assert region.heal(FIRST, region.first).well
    data = region.objects.get(FIRST)
    assert unwrap(data, region.key, tenant=str(TENANT), generation=1, store="") == region.first


# What the repository says of itself


def _heal_description(region: OneRegion, *, this_one: bool = True) -> HealOutcome:
    return heal_description(region.objects, region.said, is_this_one=lambda: this_one).outcome


def test_a_description_that_rots_at_any_place_says_again_what_it_said(region: OneRegion) -> None:
    for at in range(len(region.said)):
        region.bucket.flip(REPOSITORY_OBJECT, at)
        with pytest.raises(Damaged):
            read_description(region.objects, None)
        assert _heal_description(region) is HealOutcome.REWRITTEN
        assert read_description(region.objects, region.said) == region.said
    for member in ("id", "created"):
        region.alter(REPOSITORY_OBJECT, member)
        with pytest.raises(Damaged):
            read_description(region.objects, region.said)
        assert _heal_description(region) is HealOutcome.REWRITTEN
    assert _heal_description(region) is HealOutcome.WHOLE


def test_what_is_not_known_is_not_invented(region: OneRegion) -> None:
    region.bucket.truncate(REPOSITORY_OBJECT, 40)
    told = heal_description(region.objects, None, is_this_one=lambda: True)
    assert told.outcome is HealOutcome.NO_COPY
    assert len(region.bucket.bytes_of(REPOSITORY_OBJECT)) == 40


def test_a_description_that_is_gone_comes_back_only_where_the_rest_is(region: OneRegion) -> None:
    region.bucket.lose(REPOSITORY_OBJECT)
    assert _heal_description(region, this_one=False) is HealOutcome.NO_COPY
    assert region.bucket.keys(REPOSITORY_OBJECT) == []
    assert _heal_description(region) is HealOutcome.REWRITTEN


def test_a_newer_programs_repository_is_left_as_it_is(region: OneRegion) -> None:
    newer = region.said.replace('"version":1', '"version":2').encode()
    region.objects.put(REPOSITORY_OBJECT, newer)
    with pytest.raises(Damaged, match="version"):
        read_description(region.objects, region.said)
    assert _heal_description(region) is HealOutcome.NO_COPY
    assert region.bucket.bytes_of(REPOSITORY_OBJECT) == newer


def test_another_repository_in_its_place_is_no_damage(region: OneRegion) -> None:
    region.bucket.lose(REPOSITORY_OBJECT)
    region.bucket.clock.sleep(Seconds(60))
    Repository.create(region.objects, region.key)
    assert read_description(region.objects, region.said) != region.said


def test_a_description_under_retention_is_said_to_stay_as_it_is(region: OneRegion) -> None:
    region.objects.lock(REPOSITORY_OBJECT, region.objects.now() + timedelta(days=30))
    region.bucket.flip(REPOSITORY_OBJECT, 12)
    told = heal_description(region.objects, region.said, is_this_one=lambda: True)
    assert told.outcome is HealOutcome.LOCKED
    assert "None" not in told.en + told.ja


def test_what_agrees_with_its_name_and_was_written_with_other_keys_is_damaged(
    region: OneRegion,
) -> None:
    (point,) = [key for key in region.bucket.keys("tenants/") if "/points/" in key]
    stranger = Keyring.generate(str(TENANT), region.objects.now().replace(microsecond=0))
    assert damage_of(region.objects, str(TENANT), point) is None
    assert damage_of(region.objects, str(TENANT), point, keyring=region.first) is None
    found = damage_of(region.objects, str(TENANT), point, keyring=stranger)
    assert found is not None
    assert found.object == point

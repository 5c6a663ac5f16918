"""Whatever rots is found before it is needed, named, and made whole from another region."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backup.repository import RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.heal import HealOutcome, heal, heal_index
from backup.repository.heal_keyring import KeyringElsewhere, KeyringHealing
from backup.repository.scrub import scrub
from control_plane.drivers.objects import StoreUnavailable
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.operation import Severity
from control_plane.model.tenant import MunicipalityCode
from tests.backup.repository.copying import replicate_tenant
from tests.thoroughness import examples

HERE = "s3://kyoto/backups?endpoint=https://kyoto.example&region=kyoto&credentials=env:K"
THERE = "s3://osaka/backups?endpoint=https://osaka.example&region=osaka&credentials=env:O"
TENANT = MunicipalityCode("434311")
CHUNK = 4096


class TwoRegions:
    """Three points here, and the same in another region."""

    def __init__(self) -> None:
        self.world = SimulatedWorld()
        self.here, self.there = self.world.objects(HERE), self.world.objects(THERE)
        self.bucket = self.world.bucket(HERE)
        self.key = RepositoryKey.generate()
        repository = Repository.create(self.here, self.key)
        self.vault = repository.vault(TENANT, create=True)
        self.keyring = self.vault.keyring
        self.points = [self._back_up(1, 2), self._back_up(2, 3), self._back_up(4)]
        replicate_tenant(
            self.vault, Repository.create(self.there, RepositoryKey.generate()), str(TENANT)
        )

    def _back_up(self, *letters: int) -> RecoveryPoint:
        with self.vault.begin("web", "records") as writer:
            disk = writer.disk("root", CHUNK * len(letters), chunk_bytes=CHUNK)
            for number, letter in enumerate(letters):
                disk.put(number * CHUNK, bytes([letter]) * CHUNK)
            disk.close()
            return writer.commit(consistency="crash", details={})

    def keys(self) -> list[str]:
        return self.bucket.keys(f"tenants/{TENANT}/")

    def pack_of(self, point: RecoveryPoint) -> str:
        pack = point.packs[0].hex()
        return f"tenants/{TENANT}/packs/{pack[:2]}/{pack}"


@pytest.fixture(scope="module")
def regions() -> TwoRegions:
    """Healed by each test of what it damages."""
    return TwoRegions()


@pytest.mark.parametrize("keyed", [False, True])
def test_what_is_whole_is_found_whole(regions: TwoRegions, keyed: bool) -> None:
    keyring = regions.vault.keyring if keyed else None
    told = scrub(regions.here, str(TENANT), budget=1 << 30, keyring=keyring)
    assert (told.findings, told.ended) == ((), True)
    assert told.objects == len(regions.bucket.keys(f"tenants/{TENANT}/"))


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    which=st.integers(0, 99),
    millionth=st.integers(0, 999_999),
    cut=st.booleans(),
    keyed=st.booleans(),
)
def test_any_byte_of_any_object_that_rots_is_found_named_and_healed(
    regions: TwoRegions, which: int, millionth: int, cut: bool, keyed: bool
) -> None:
    key = sorted(regions.keys())[which % len(regions.keys())]
    whole = regions.bucket.bytes_of(key)
    at = len(whole) * millionth // 1_000_000
    if cut:
        regions.bucket.truncate(key, at)
    else:
        regions.bucket.flip(key, at)
    keyring = regions.vault.keyring if keyed else None
    (found,) = scrub(
        regions.here, str(TENANT), budget=1 << 30, keyring=keyring, key=regions.key
    ).findings
    assert found.object == key
    if "/packs/" in key or "/points/" in key:
        writers = [p.id for p in regions.points if key in (p.key, *_packs(p))]
        assert set(writers) <= set(found.points)
    if "/keyring/" in key:
        there = KeyringElsewhere(regions.there.name, regions.keyring)
        assert KeyringHealing(regions.here, regions.key, str(TENANT), [there]).heal(key).well
        assert _opened(regions).keyring == regions.keyring
    elif "/index/" in key:
        assert heal_index(regions.vault, key).outcome == HealOutcome.REMADE
        indexes = regions.bucket.keys(f"tenants/{TENANT}/index/")
        assert key not in indexes
        assert len(indexes) == len(regions.points)
        assert {id for id, _ in _opened(regions).index.packs()} == set(
            chain.from_iterable(point.packs for point in regions.points)
        )
    else:
        healing = heal(regions.here, key, [regions.there])
        assert healing.outcome == HealOutcome.HEALED
        assert healing.source == regions.there.name
        assert regions.bucket.bytes_of(key) == whole


def _opened(regions: TwoRegions) -> Vault:
    return Repository.open(regions.here, regions.key).vault(TENANT)


def _packs(point: RecoveryPoint) -> list[str]:
    return [f"tenants/{TENANT}/packs/{p.hex()[:2]}/{p.hex()}" for p in point.packs]


def test_a_pack_that_is_gone_is_missed_without_keys(regions: TwoRegions) -> None:
    point = regions.points[2]
    key = regions.pack_of(point)
    regions.bucket.lose(key)
    (found,) = scrub(regions.here, str(TENANT), budget=1 << 30).findings
    assert (found.object, found.points) == (key, (point.id,))
    assert heal(regions.here, key, [regions.there]).outcome == HealOutcome.HEALED


def test_a_small_budget_gets_round_and_goes_on_where_it_stopped(regions: TwoRegions) -> None:
    keys = regions.bucket.keys(f"tenants/{TENANT}/")
    cursor, seen = "", []
    while True:
        told = scrub(regions.here, str(TENANT), cursor=cursor, budget=1)
        assert told.objects == 1
        seen.append(told.cursor)
        cursor = told.cursor
        if told.ended:
            break
    assert seen == [*keys[:-1], ""]


def test_what_no_region_has_whole_is_critical_and_says_who_did_not_answer(
    regions: TwoRegions,
) -> None:
    key = regions.pack_of(regions.points[0])
    regions.bucket.flip(key, 70)
    regions.world.bucket(THERE).cut_link()
    told = heal(regions.here, key, [regions.there])
    assert (told.outcome, told.severity) == (HealOutcome.NO_COPY, Severity.CRITICAL)
    assert regions.there.name in told.en
    assert regions.there.name in told.ja
    regions.world.bucket(THERE).restore_link()

    regions.world.bucket(THERE).flip(key, 70)
    assert heal(regions.here, key, [regions.there]).outcome == HealOutcome.NO_COPY
    regions.world.bucket(THERE).flip(key, 70)
    assert heal(regions.here, key, [regions.there]).outcome == HealOutcome.HEALED


def test_damage_under_retention_is_hidden_or_the_whole_copy_is_named() -> None:
    regions = TwoRegions()
    key = regions.pack_of(regions.points[0])
    until = regions.here.now() + timedelta(days=30)
    regions.here.lock(key, until)
    regions.bucket.flip(key, 70)
    # This store keeps no versions.
    told = heal(regions.here, key, [regions.there])
    assert (told.outcome, told.source) == (HealOutcome.LOCKED, regions.there.name)
    regions.bucket.lose(key)
    told = heal(regions.here, key, [regions.there], locked_until=until)
    assert told.outcome == HealOutcome.HEALED
    assert regions.here.stat(key).locked_until == until


def test_a_store_that_does_not_answer_is_an_error_and_no_finding(regions: TwoRegions) -> None:
    regions.bucket.fail(call="get", times=1)
    with pytest.raises(StoreUnavailable):
        scrub(regions.here, str(TENANT), budget=1 << 30)

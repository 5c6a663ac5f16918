"""Whatever one object somebody else puts into a repository, it stops nothing there, and it is named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup.keeper.counted_objects import CountedObjects
from backup.objects.directory import DirectoryStore
from backup.replication import Replication
from backup.repository import Damaged, RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.affected import points_needing
from backup.repository.canonical import canonical_json, read_canonical, read_json, read_time
from backup.repository.collector import Collected, Collector, CollectorTimes
from backup.repository.description import read_description
from backup.repository.errors import Stray
from backup.repository.heal import Healing, HealOutcome, heal, heal_index
from backup.repository.heal_keyring import KeyringHealing
from backup.repository.index import listed_packs
from backup.repository.pack import PACK_ROOM, PackBuilder, pack_object, parse_footer, read_footer
from backup.repository.point import manifest, read_manifest
from backup.repository.scrub import points_naming, scrub
from backup.repository.segment import MOST_ITEMS, PLAIN_LIMIT, TAG_BYTES, Compression, Kind
from backup.repository.sizes import (
    LARGEST_FOOTER,
    LARGEST_MANIFEST,
    LARGEST_PACK,
    MOST_PACKS,
)
from control_plane.drivers.objects import NoSuchObject, ObjectStore
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.errors import YuiError
from control_plane.model.operation import Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from tests.backup.repository.strays import DEEP, STRANGE_POINT, STRAYS, plant

PLACE = "s3://kyoto/backups?endpoint=https://kyoto.example&region=kyoto&credentials=env:K"
TENANT = MunicipalityCode("434311")
PREFIX = f"tenants/{TENANT}/"
CHUNK = 4096
TIMES = CollectorTimes(grace=timedelta(hours=24), young=timedelta(hours=1))


class Vaulted:
    """A tenant's vault with two points, one of which is to go: its packs are nobody's then."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects
        self.key = RepositoryKey.generate()
        Repository.create(objects, self.key).vault(TENANT, create=True)
        self.stays = self.back_up(b"a")
        self.goes = self.back_up(b"b")

    @property
    def vault(self) -> Vault:
        return Repository.open(self.objects, self.key).vault(TENANT)

    def back_up(self, letter: bytes, base: RecoveryPoint | None = None) -> RecoveryPoint:
        with self.vault.begin("web", "records", base=base) as writer:
            disk = writer.disk(
                "root",
                2 * CHUNK,
                base_disk="root" if base else None,
                chunk_bytes=None if base else CHUNK,
            )
            disk.put(0, letter * CHUNK)
            disk.close()
            return writer.commit(consistency="crash", details={"seconds": 0.5})

    def restores(self, point: RecoveryPoint, letter: bytes) -> bool:
        with self.vault as vault:
            found = vault.point(point.id)
            assert vault.details(found) == {"seconds": 0.5}
            return vault.read(found, "root").read(0, CHUNK) == letter * CHUNK

    def collect(self, *expired: RecoveryPoint) -> Collected:
        with self.vault as vault:
            collector = Collector(self.objects, vault.index, still_mine=lambda: True, times=TIMES)
            return collector.run([point.id for point in expired])

    def gives_back(self, world: SimulatedWorld) -> bool:
        """Three days, in which what nobody needs goes."""
        key = pack_object(str(TENANT), self.goes.packs[0])
        for expired in ((self.goes,), (), ()):
            world.clock.sleep(Seconds(26 * 3600))
            told = self.collect(*expired)
            assert told.lacking == ()
        return not self.is_there(key)

    def is_there(self, key: str) -> bool:
        try:
            self.objects.stat(key)
        except NoSuchObject:
            return False
        return True

    def named(self, *, keyed: bool) -> list[str]:
        """The keys that one pass over all of it names."""
        found = scrub(
            self.objects,
            str(TENANT),
            budget=1 << 30,
            keyring=self.vault.keyring if keyed else None,
            key=self.key,
        )
        assert found.ended
        return [each.object for each in found.findings]


@pytest.mark.parametrize(
    "name",
    [
        "a mark that is no id",
        "a pack that is no id",
        "a point in brackets, rightly named",
        "a keyring of another ending",
    ],
)
def test_an_object_of_somebody_elses_is_named_and_stops_nothing(name: str) -> None:
    _stand_all_of([name])


def test_many_objects_of_somebody_elses_are_named_and_stop_nothing() -> None:
    _stand_all_of(list(STRAYS))


def _stand_all_of(names: list[str]) -> None:
    world = SimulatedWorld()
    there = Vaulted(world.objects(PLACE))
    pack = there.stays.packs[0]
    planted = {}
    for name in names:
        key, _ = plant(name, there.objects.put, tenant=str(TENANT), pack=pack)
        planted[key] = name
    assert there.named(keyed=False) == sorted(planted)
    assert there.named(keyed=True) == sorted(planted)
    assert points_naming(there.objects, str(TENANT), [pack.hex()]) == {pack.hex(): [there.stays.id]}
    with there.vault as vault:
        assert points_needing(there.objects, vault.index, [pack]) == {pack: [there.stays.id]}
    for found in scrub(there.objects, str(TENANT), budget=1 << 30).findings:
        # A mark is one, whatever it says: a collector takes it away.
        assert isinstance(found, Stray) or found.object.startswith("condemned/")
        assert isinstance(found, Stray) == ("is no part of the repository" in found.en)
        assert isinstance(found, Stray) == ("リポジトリの一部ではありません" in found.ja)
        assert found.points == ()
    for key in planted:
        told = _healing(there, key)
        if told.outcome is not HealOutcome.REMADE:
            assert (told.outcome, told.severity) == (HealOutcome.STRAY, Severity.WARNING)
        assert key in told.en
        assert key in told.ja
    based = there.back_up(b"c", there.stays)
    assert there.gives_back(world)
    assert there.restores(there.stays, b"a")
    assert there.restores(based, b"c")
    for key, name in planted.items():
        there.objects.delete(key)
        if "rightly" not in name:
            assert _healing(there, key).outcome in (HealOutcome.WHOLE, HealOutcome.REMADE)
    assert there.named(keyed=True) == []
    there.vault.destroy()
    assert not list(there.objects.list(PREFIX + "keyring/"))


def _healing(there: Vaulted, key: str) -> Healing:
    if "/keyring/" in key:
        return KeyringHealing(there.objects, there.key, str(TENANT), ()).heal(key)
    if "/index/" in key:
        with there.vault as vault:
            return heal_index(vault, key)
    return heal(there.objects, key, [there.objects])


def test_what_a_holder_of_the_keys_did_not_write_is_named_and_holds_back_only_what_is_deleted() -> (
    None
):
    world = SimulatedWorld()
    there = Vaulted(world.objects(PLACE))
    other = Vaulted(world.objects(PLACE.replace("kyoto", "nara")))
    forged, data = manifest(other.stays, other.vault.keyring)
    there.objects.put(forged, data)
    assert there.named(keyed=True) == [forged]
    # What it says was written for it is missed where nobody can know who wrote it.
    lacking = {pack_object(str(TENANT), pack) for pack in other.stays.packs}
    assert set(there.named(keyed=False)) == lacking
    assert [damage.object for damage in there.collect(there.goes).lacking] == [forged]
    assert not there.is_there(there.goes.key)
    assert there.restores(there.back_up(b"c", there.stays), b"c")


@pytest.mark.parametrize("data", [DEEP, b"\xff", b"[]", b'{"format":1e999}', b'{"a":' * 20_000])
def test_what_opens_a_repository_is_damaged_by_anything_that_it_does_not_say(data: bytes) -> None:
    there = Vaulted(SimulatedWorld().objects(PLACE))
    said = there.objects.get("repository.json")
    there.objects.put("repository.json", data)
    with pytest.raises(Damaged):
        Repository.open(there.objects, there.key)
    with pytest.raises(Damaged):
        read_description(there.objects, said.decode())
    there.objects.put("repository.json", said)
    keyring = f"{PREFIX}keyring/00000002.json"
    there.objects.put(keyring, data)
    with pytest.raises(Damaged):
        _ = there.vault
    found = scrub(there.objects, str(TENANT), budget=1 << 30, key=there.key)
    assert [each.object for each in found.findings] == [keyring]
    assert not KeyringHealing(there.objects, there.key, str(TENANT), ()).heal(keyring).well
    assert heal(there.objects, there.stays.key, []).outcome is HealOutcome.WHOLE


def test_a_mark_that_nobody_can_take_away_is_not_acted_on_until_a_day_after_it_could_be() -> None:
    world = SimulatedWorld()
    there = Vaulted(world.objects(PLACE))
    pack = pack_object(str(TENANT), there.stays.packs[0])
    mark = f"condemned/{TENANT}/{there.stays.packs[0].hex()}"
    until = there.objects.now() + timedelta(days=10)
    there.objects.put(mark, b'{"since":"2026-01-01T00:00:00Z"}', locked_until=until)
    for _ in range(2):
        assert there.collect().reprieved == 0
    assert there.is_there(mark)
    assert there.restores(there.back_up(b"c", there.stays), b"c")
    # Now nobody needs the pack, and the mark is old: yet whoever still leans on the point was not warned.
    assert there.gives_back(world)
    for point in there.vault.points():
        there.vault.forget(point.id)
    there.collect()
    world.clock.sleep(Seconds(6 * 86400))
    there.collect()
    assert there.is_there(pack)
    world.clock.sleep(Seconds(1.5 * 86400))
    assert there.objects.now() > until
    there.collect()
    assert there.is_there(pack)
    world.clock.sleep(Seconds(86400))
    there.collect()
    assert not there.is_there(pack)
    assert not there.is_there(mark)


def test_however_many_there_are_they_are_told_bit_by_bit() -> None:
    there = Vaulted(SimulatedWorld().objects(PLACE))
    keys = [f"{PREFIX}stray/{number:04d}" for number in range(1500)]
    for key in keys:
        there.objects.put(key, b"")
    cursor, named = "", []
    for most in (1000, 500):
        found = scrub(there.objects, str(TENANT), cursor=cursor, budget=1 << 30)
        assert len(found.findings) == most
        named += [each.object for each in found.findings]
        cursor = found.cursor
    assert found.ended
    assert named == keys


def test_a_copy_is_made_although_a_mark_there_can_t_be_taken_away() -> None:
    world = SimulatedWorld()
    there = Vaulted(world.objects(PLACE))
    far = world.objects(PLACE.replace("kyoto", "nara"))
    copy = Repository.create(far, RepositoryKey.generate())
    copy.receive_keyring(there.vault.keyring)
    pack = there.stays.packs[0]
    mark = f"condemned/{TENANT}/{pack.hex()}"
    with there.vault as source, copy.vault(TENANT) as target:
        far.put(mark, b"{}")
        with pytest.raises(YuiError) as told:
            Replication(source, target).copy(there.stays.id)
        assert told.value.type == "backup-overtaken"
        far.lock(mark, far.now() + timedelta(days=3650))
        assert Replication(source, target).copy(there.stays.id).packs
        collector = Collector(far, target.index, still_mine=lambda: True, times=TIMES)
        for _ in range(3):
            world.clock.sleep(Seconds(2 * 86400))
            assert collector.run().points == 1
        assert target.read(target.point(there.stays.id), "root").read(0, CHUNK) == b"a" * CHUNK


def test_a_mark_of_the_far_future_is_as_old_as_it_lies_there() -> None:
    world = SimulatedWorld()
    there = Vaulted(world.objects(PLACE))
    mark = f"condemned/{TENANT}/{there.goes.packs[0].hex()}"
    there.objects.put(mark, b'{"since":"9999-12-31T23:59:59Z"}')
    assert there.gives_back(world)


def test_a_mark_that_is_locked_and_is_to_be_made_anew_stays_as_it_is() -> None:
    world = SimulatedWorld()
    there = Vaulted(world.objects(PLACE))
    pack = there.goes.packs[0]
    mark = f"condemned/{TENANT}/{pack.hex()}"
    until = there.objects.now() + timedelta(days=100)
    there.objects.put(mark, b"{}", locked_until=until)
    world.clock.sleep(Seconds(86400))
    # It was put again, so that it is not condemned any more, and condemned again as nobody needs it.
    key = pack_object(str(TENANT), pack)
    there.objects.put(key, there.objects.get(key))
    world.clock.sleep(Seconds(86400))
    there.vault.forget(there.goes.id)
    there.collect()
    assert there.objects.get(mark) == b"{}"


LARGE = {
    "a pack": PREFIX + "packs/aa/" + "aa" * 32,
    "an index": PREFIX + "index/" + "ab" * 32,
    "a manifest": PREFIX + STRANGE_POINT + "ab" * 32,
    "a keyring": PREFIX + "keyring/00000002.json",
    "a mark": f"condemned/{TENANT}/" + "ab" * 32,
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_larger_than_any_that_is_written_is_named_unread(name: str, tmp_path: Path) -> None:
    read: list[int] = []
    there = Vaulted(CountedObjects(DirectoryStore(tmp_path), read.append))
    keyring = there.vault.keyring
    path = tmp_path / LARGE[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(700 << 20)
    held = 5 << 20
    for given in (None, keyring):
        read.clear()
        cursor, named = "", []
        while True:
            found = scrub(
                there.objects,
                str(TENANT),
                cursor=cursor,
                budget=1 << 20,
                keyring=given,
                key=there.key,
            )
            named += [each.object for each in found.findings]
            cursor = found.cursor
            if found.ended:
                break
        assert named == [LARGE[name]]
        assert sum(read) < held
    read.clear()
    if name == "a keyring":
        with pytest.raises(Damaged):
            _ = there.vault
        assert not KeyringHealing(there.objects, there.key, str(TENANT), ()).heal(LARGE[name]).well
        assert sum(read) < held
        return
    lacking = [damage.object for damage in there.collect().lacking]
    assert lacking == ([LARGE[name]] if name == "a manifest" else [])
    assert there.restores(there.back_up(b"c", there.stays), b"c")
    assert _healing(there, LARGE[name]).outcome in (
        HealOutcome.NO_COPY,
        HealOutcome.REMADE,
        HealOutcome.STRAY,
    )
    assert sum(read) < held


def test_a_repository_s_description_larger_than_any_is_not_read_whole(tmp_path: Path) -> None:
    read: list[int] = []
    there = Vaulted(CountedObjects(DirectoryStore(tmp_path), read.append))
    with (tmp_path / "repository.json").open("r+b") as file:
        file.truncate(700 << 20)
    read.clear()
    with pytest.raises(Damaged):
        Repository.open(there.objects, there.key)
    assert sum(read) < 1 << 20


def test_what_writers_write_is_far_smaller_than_what_readers_take() -> None:
    assert PACK_ROOM + LARGEST_FOOTER + (1 << 20) < LARGEST_PACK
    assert 67 * MOST_PACKS + (1 << 20) < LARGEST_MANIFEST
    there = Vaulted(SimulatedWorld().objects(PLACE))
    point = there.vault.point(there.stays.id)
    longest = replace(point, packs=tuple(n.to_bytes(32) for n in range(1, 20_000)))
    key, data = manifest(longest, there.vault.keyring)
    assert len(data) < 67 * 20_000 + 10_000
    there.objects.put(key, data)
    (facts,) = (each for each in there.vault.points() if each.key == key)
    assert there.vault.point(facts).packs == longest.packs


def test_no_json_breaks_who_reads_it() -> None:
    for value in (
        *("1e999", "9e+300", "0.5", "NaN", "-Infinity", "9" * 5000, "", "[" * 20_000),
        *("9223372036854775808", "-9223372036854775808", '{"a":' * 20_000),
    ):
        with pytest.raises(ValueError, match=r"."):
            read_json(b'{"a":' + value.encode() + b"}", most=1 << 20)
    for data in (b"", b"1", b"[1]", b"\xef\xbb\xbf{}", b"\xff", json.dumps({}).encode("utf-16")):
        with pytest.raises(ValueError, match=r"."):
            read_json(data, most=1 << 20)
    with pytest.raises(ValueError, match="long"):
        read_json(b'{"a":1}', most=6)
    for data in (b'{"a":1,"a":1}', b'{"a": 1}', b'{"a":"\\ud800"}'):
        with pytest.raises(ValueError, match=r"."):
            read_canonical(data, most=100)
    assert read_canonical(canonical_json({"a": 0.5}), most=100, fractions=True) == {"a": 0.5}
    assert read_time("2026-01-01T00:00:00Z") == datetime(2026, 1, 1, tzinfo=UTC)
    for text in ("\uff12\uff10\uff12\uff16-01-01T00:00:00Z", "2026-13-01T00:00:00Z", 7, None):
        with pytest.raises(ValueError, match=r"."):
            read_time(text)


def test_a_pack_ends_before_its_footer_is_larger_than_a_reader_takes() -> None:
    keyring = Vaulted(SimulatedWorld().objects(PLACE)).vault.keyring
    pack = PackBuilder(keyring, bytearray(PACK_ROOM))
    # As compressible as can be: segments of hardly any bytes.
    items = [(bytes(32), 16)] * MOST_ITEMS
    for full in (False, True):
        pack.add(Kind.CHUNKS, Compression.ZSTD, b"x", PLAIN_LIMIT, items)
        assert pack.full == full
    assert len(pack.finish()[1].footer) < LARGEST_FOOTER // 8


def test_a_disk_is_of_a_size_that_there_can_be() -> None:
    there = Vaulted(SimulatedWorld().objects(PLACE))
    with there.vault as vault:
        for member in ("size", "read_bytes", "changed_bytes", "chunk_bytes"):
            for told in (-1, True, 1 << 63, 0.0, "1", None):
                disk = replace(there.stays.disks[0], **{member: told})  # type: ignore[arg-type]
                key, data = manifest(replace(there.stays, disks=(disk,)), vault.keyring)
                with pytest.raises(Damaged):
                    read_manifest(key, data, vault.keyring)


def test_no_segment_unfolds_to_more_than_one_holds() -> None:
    there = Vaulted(SimulatedWorld().objects(PLACE))
    packs = dict(listed_packs(there.objects, str(TENANT)))
    id = there.stays.packs[0]
    footer = bytearray(read_footer(there.objects, there.vault.keyring, id, packs[id]).footer)
    sealed_at = 4 + 1 + 1 + 2 + 8
    for at, most in ((sealed_at, PLAIN_LIMIT + TAG_BYTES), (sealed_at + 4, PLAIN_LIMIT)):
        forged = bytearray(footer)
        forged[at : at + 4] = most.to_bytes(4)
        parse_footer(bytes(forged), 1 << 40)
        forged[at : at + 4] = (most + 1).to_bytes(4)
        with pytest.raises(ValueError, match="not a footer"):
            parse_footer(bytes(forged), 1 << 40)

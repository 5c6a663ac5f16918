"""What the collector gives back, what it keeps, and what it says when it cannot know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from backup.repository import RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.affected import points_needing
from backup.repository.collector import Collected, Collector, CollectorTimes
from backup.repository.index_merging import MOST_SMALL
from control_plane.drivers.objects import StoreRefused
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from tests.backup.repository.dying import DyingStore

PLACE = "s3://kyoto/backups?endpoint=https://kyoto.example&region=kyoto&credentials=env:K"
TENANT = MunicipalityCode("434311")
PACKS = f"tenants/{TENANT}/packs/"
CHUNK = 4096
TIMES = CollectorTimes(grace=timedelta(hours=24), young=timedelta(hours=1))


class Town:
    """A tenant's vault in a simulated store, and its collector."""

    def __init__(self) -> None:
        self.world = SimulatedWorld()
        self.objects = self.world.objects(PLACE)
        self.bucket = self.world.bucket(PLACE)
        self.repository = Repository.create(self.objects, RepositoryKey.generate())
        self.repository.vault(TENANT, create=True)

    @property
    def vault(self) -> Vault:
        return self.repository.vault(TENANT)

    def back_up(
        self,
        *letters: int,
        server: str = "web",
        interrupt: Callable[[str], None] = lambda _: None,
        base: RecoveryPoint | None = None,
    ) -> RecoveryPoint:
        """A disk of one chunk per letter; with a base, all of it taken over from there. `interrupt` comes
        before each put, given its key."""
        store = DyingStore(self.objects, interrupt=interrupt)
        vault = Repository.open(store, self.repository.key).vault(TENANT)
        with vault.begin(server, "records", base=base) as writer:
            disk = writer.disk(
                "root",
                CHUNK * (len(letters) if base is None else base.disk("root").size // CHUNK),
                base_disk="root" if base else None,
                chunk_bytes=None if base else CHUNK,
            )
            for number, letter in enumerate(letters):
                disk.put(number * CHUNK, bytes([letter]) * CHUNK)
            disk.close()
            return writer.commit(consistency="crash", details={})

    def restores(self, point: RecoveryPoint, *letters: int) -> bool:
        read = self.vault.read(point, "root").read(0, CHUNK * len(letters))
        return read == b"".join(bytes([letter]) * CHUNK for letter in letters)

    def collect(self, *expired: RecoveryPoint, hours: int = 0, **told: object) -> Collected:
        self.hours(hours)
        vault = self.vault
        collector = Collector(
            vault.objects,
            vault.index,
            still_mine=lambda: True,
            times=TIMES,
            **told,  # type: ignore[arg-type]
        )
        return collector.run([point.id for point in expired])

    def hours(self, hours: float) -> None:
        self.world.clock.sleep(Seconds(hours * 3600.0))


@pytest.fixture
def town() -> Town:
    return Town()


def test_what_only_a_forgotten_point_needed_goes_after_the_grace_and_no_sooner(town: Town) -> None:
    old, new = town.back_up(1, 2), town.back_up(2, 3)
    told = town.collect(old, hours=2)
    assert told.forgotten == (old.id,)
    # Of the old point's packs, that with its chunks holds one that the new point needs, too.
    assert told.condemned == 1
    assert town.collect(hours=23).deleted == 0
    told = town.collect(hours=2)
    assert (told.deleted, told.condemned) == (1, 0)
    assert told.freed_bytes > 0
    assert town.restores(new, 2, 3)
    assert not town.bucket.keys("condemned/")


def test_what_a_running_backup_has_put_is_not_condemned_however_long_it_takes(town: Town) -> None:
    told: list[Collected] = []

    def two_days_pass(key: str) -> None:
        if "/index/" in key:
            town.hours(41)
            vault = town.vault
            told.append(Collector(vault.objects, vault.index, still_mine=lambda: True).run())

    point = town.back_up(9, interrupt=two_days_pass)
    assert [each.condemned for each in told] == [0]
    assert town.restores(point, 9)


def test_a_condemned_pack_that_is_needed_again_is_reprieved(town: Town) -> None:
    first = town.back_up(1)
    town.hours(2)
    told: list[Collected] = []

    def marked_after_the_last_look(key: str) -> None:
        if "/points/" in key:
            told.append(town.collect(first))

    second = town.back_up(1, server="db", interrupt=marked_after_the_last_look)
    assert [each.condemned for each in told] == [2]
    assert town.collect(hours=25).reprieved == 2
    assert town.restores(second, 1)


def test_a_branch_that_is_taken_over_unseen_outlives_the_point_it_came_from(town: Town) -> None:
    first = town.back_up(1)
    town.hours(2)

    def marked_after_the_last_look(key: str) -> None:
        if "/points/" in key:
            assert town.collect(first).condemned == 2

    second = town.back_up(1, server="db", interrupt=marked_after_the_last_look)
    town.hours(25)
    told: list[Collected] = []

    def its_base_is_forgotten(key: str) -> None:
        if "/points/" in key:
            # The marks are older than the grace, and no other manifest stands at this moment.
            told.append(town.collect(second))

    third = town.back_up(server="db", base=second, interrupt=its_base_is_forgotten)
    assert [(each.forgotten, each.deleted) for each in told] == [((second.id,), 0)]
    assert town.collect(hours=25).reprieved == 2
    assert town.restores(third, 1)


def test_nothing_goes_while_a_tree_cannot_be_read_and_the_point_is_named(town: Town) -> None:
    gone, kept = town.back_up(1, 2), town.back_up(3, 4)
    town.collect(gone, hours=2)
    assert town.bucket.keys("condemned/")
    (pack,) = town.vault.index.packs_of(kept.disk("root").root)
    key = f"tenants/{TENANT}/packs/{pack.hex()[:2]}/{pack.hex()}"
    whole = town.bucket.bytes_of(key)
    town.bucket.lose(key)
    told = town.collect(hours=30)
    assert told.deleted == 0
    assert [each.points for each in told.lacking] == [(kept.id,)]
    assert not town.bucket.keys("condemned/"), "what it leads to is not known: none is condemned"

    town.objects.put(key, whole)
    assert town.collect(hours=2).condemned == 2
    assert town.collect(hours=25).deleted == 2
    assert town.restores(kept, 3, 4)


def test_a_manifest_that_rots_keeps_all_that_it_may_need(town: Town) -> None:
    rotten = town.back_up(1)
    town.bucket.flip(rotten.key, 40)
    for _ in range(3):
        told = town.collect(hours=25)
        assert (told.condemned, told.deleted) == (0, 0)
        assert told.lacking[0].object == rotten.key
    # Whoever gives it up forgets it, and its room comes back.
    town.collect(rotten)
    town.collect()
    assert town.collect(hours=25).deleted == 2


def test_retention_lasts_as_long_as_the_longest_lived_point_that_needs_a_pack(town: Town) -> None:
    short, long = town.back_up(1), town.back_up(1, server="db")
    now = town.objects.now()
    ends = {short.id: now + timedelta(days=5), long.id: now + timedelta(days=400)}
    told = town.collect(hours=2, retention=lambda point: ends[point.id])
    assert told.extended > 0
    for key in town.bucket.keys(f"tenants/{TENANT}/packs/"):
        assert town.objects.stat(key).locked_until == ends[long.id]
    assert town.objects.stat(short.key).locked_until == ends[short.id]
    keyring = town.bucket.keys(f"tenants/{TENANT}/keyring/")[0]
    assert town.objects.stat(keyring).locked_until == ends[long.id]

    told = town.collect(short, long, hours=24 * 6, retention=lambda point: ends[point.id])
    assert (told.forgotten, told.kept) == ((short.id,), (long.id,))
    assert town.collect(hours=25).deleted == 0
    assert town.restores(long, 1)


def test_a_point_whose_retention_has_ended_keeps_neither_the_others_lock_nor_their_collection(
    town: Town,
) -> None:
    ended, lasts, gone = (
        town.back_up(1),
        town.back_up(2, server="db"),
        town.back_up(3, server="app"),
    )
    town.hours(30)
    now = town.objects.now()
    ends = {ended.id: now - timedelta(hours=1), lasts.id: now + timedelta(days=9)}
    told = town.collect(gone, retention=lambda point: ends.get(point.id))
    assert (told.forgotten, told.condemned, told.refused) == ((gone.id,), 2, 0)
    assert town.objects.stat(ended.key).locked_until is None
    assert town.objects.stat(lasts.key).locked_until == ends[lasts.id]
    held = [town.objects.stat(key).locked_until for key in town.bucket.keys(PACKS)]
    assert sorted(map(str, held)) == sorted(map(str, [ends[lasts.id]] * 2 + [None] * 4))
    assert town.collect(hours=25, retention=lambda point: ends.get(point.id)).deleted == 2


def test_a_lock_that_is_refused_ends_nothing_and_is_told(town: Town) -> None:
    kept, gone = town.back_up(1), town.back_up(2, server="db")
    until = town.objects.now() + timedelta(days=9)
    town.hours(2)
    for _ in range(2):
        town.bucket.fail(call="lock", error=StoreRefused("osaka did not lock it: 403."))
    told = town.collect(gone, retention=lambda _: until)
    assert (told.refused, told.refusal) == (2, "osaka did not lock it: 403.")
    assert (told.forgotten, told.condemned) == ((gone.id,), 2)
    keys = [kept.key, *town.bucket.keys(PACKS), *town.bucket.keys(f"tenants/{TENANT}/keyring/")]
    held = [town.objects.stat(key).locked_until for key in keys]
    assert held.count(until) == 2, "of a manifest, two packs and a keyring"
    assert town.collect(retention=lambda _: until).refused == 0


def test_garbage_under_retention_stays_marked_until_it_ends(town: Town) -> None:
    point = town.back_up(1)
    until = town.objects.now() + timedelta(days=3)
    for key in town.bucket.keys(f"tenants/{TENANT}/packs/"):
        town.objects.lock(key, until)
    town.collect(point, hours=2)
    assert town.collect(hours=30).locked == 2
    assert town.collect(hours=48).deleted == 2


def test_many_small_indexes_become_one_and_the_old_go_after_the_grace(town: Town) -> None:
    points = [town.back_up(number) for number in range(1, MOST_SMALL + 3)]
    indexes = f"tenants/{TENANT}/index/"
    before = set(town.bucket.keys(indexes))
    assert town.collect(hours=2).indexes_merged == 1
    assert before < set(town.bucket.keys(indexes))
    town.collect(hours=25)
    (merged,) = town.bucket.keys(indexes)
    assert merged not in before
    assert all(town.restores(point, number) for number, point in enumerate(points, 1))
    assert town.collect(hours=25).indexes_deleted == 0


def test_a_mark_that_makes_no_sense_condemns_nothing_early_and_stops_nobody(town: Town) -> None:
    point = town.back_up(1)
    town.objects.put(f"condemned/{TENANT}/what-is-this", b"?")
    town.collect(point, hours=2)
    for key in town.bucket.keys(f"condemned/{TENANT}/"):
        town.objects.put(key, b'{"since":"1999-01-01T00:00:00Z"}')
    assert town.collect(hours=23).deleted == 0
    assert town.collect(hours=2).deleted == 2


def test_a_collector_whose_lease_is_gone_changes_nothing(town: Town) -> None:
    point = town.back_up(1)
    town.hours(30)
    before = town.bucket.keys()
    vault = town.vault
    told = Collector(vault.objects, vault.index, still_mine=lambda: False).run([point.id])
    assert told.stopped
    assert town.bucket.keys() == before


def test_a_lost_pack_is_known_to_be_needed_also_by_points_that_did_not_write_it(town: Town) -> None:
    first = town.back_up(1, 2)
    other = town.back_up(5)
    second = town.back_up(1, 3, server="db")
    (pack,) = town.vault.index.packs_of(_chunk_of(town, first))
    found = points_needing(town.objects, town.vault.index, [pack])
    assert found[pack] == sorted([first.id, second.id])
    assert other.id not in found[pack]


def _chunk_of(town: Town, point: RecoveryPoint) -> bytes:
    return town.vault.read(point, "root").tree.chunk_ids(0, 1)

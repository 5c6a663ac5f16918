"""What a backup costs depends on what changed and what is new, not on the disk's size."""

from __future__ import annotations

from backup.repository.tree import Tree, changed_chunks
from tests.backup.repository.sparse_disks import (
    CHUNK,
    DETAILS,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)

TIB = 1 << 40


def footprint(place: Place) -> tuple[int, int]:
    """Objects and bytes in packs."""
    keys = place.keys("packs")
    return len(keys), sum(len(place.bucket.bytes_of(key)) for key in keys)


def test_a_disk_of_zeros_stores_nothing_but_its_manifest() -> None:
    place = Place()
    before = place.bucket.puts
    point = back_up(place.vault, Disk(64 * TIB))
    assert place.bucket.puts == before + 1
    assert point.stored_bytes == 0
    reader = place.vault.read(point, "root")
    assert [(e.offset, e.length, e.data) for e in reader.extents()] == [(0, 64 * TIB, False)]
    assert list(reader.stream()) == []
    assert reader.read(40 * TIB, 10) == bytes(10)


def test_a_chunk_on_a_huge_disk_costs_itself_and_one_branch() -> None:
    place = Place()
    disk = Disk(64 * TIB).with_chunks(9_000_000_000, {0: noise(1)})
    point = back_up(place.vault, disk)
    # 2**34 chunks are five levels of 256; zero ids compress to nearly nothing.
    assert point.stored_bytes < CHUNK + 5 * 300 + 1000
    assert_reads_as(place.again().read(point, "root"), disk)


def test_an_increment_writes_what_changed_and_its_branch_only() -> None:
    place = Place()
    disk = Disk(2000 * CHUNK, {n: noise(n) for n in range(2000)})
    first = back_up(place.vault, disk)
    changed = disk.with_chunks(1000, {0: noise(10_001), 1: noise(10_002)})
    second = back_up(place.vault, changed, base=first, changed=[(1000, 2)])
    leaf, top = 256 * 32, 8 * 32
    assert 2 * CHUNK + leaf < second.stored_bytes < 2 * CHUNK + leaf + top + 1000
    assert len(second.packs) == 2
    assert second.disks[0].changed_bytes == second.disks[0].read_bytes == 2 * CHUNK
    assert_reads_as(place.again().read(second, "root"), changed)
    assert_reads_as(place.again().read(first, "root"), disk)


def test_an_unchanged_disk_that_is_told_again_adds_a_manifest_only() -> None:
    place = Place()
    disk = Disk(600 * CHUNK, {n: noise(n) for n in range(600)})
    base = back_up(place.vault, disk)
    stored = footprint(place)
    for known in (base, None):
        puts = place.bucket.puts
        again = back_up(place.vault, disk, base=known)
        assert place.bucket.puts == puts + 1
        assert again.disks[0].root == base.disks[0].root
    assert footprint(place) == stored


def test_equal_chunks_are_stored_once_wherever_they_lie() -> None:
    place = Place()
    one = back_up(place.vault, Disk(500 * CHUNK, dict.fromkeys(range(500), noise(7))))
    assert one.stored_bytes < 2 * CHUNK
    moved = Disk(900 * CHUNK, {n: noise(7) for n in range(3, 800, 5)})
    other = back_up(place.vault, moved, server="db", name="data")
    # Only nodes are new.
    assert other.stored_bytes < 800
    assert_reads_as(place.again().read(other, "data"), moved)


def test_another_attempt_finds_again_what_an_index_named() -> None:
    place = Place()
    disk = Disk(300 * CHUNK, {n: noise(n) for n in range(300)})
    finished = back_up(place.vault, disk)
    place.vault.forget(finished.id)
    again = back_up(place.again(), disk)
    assert again.stored_bytes == 0
    assert_reads_as(place.again().read(again, "root"), disk)


def test_a_writer_that_dies_leaves_no_point_and_what_it_left_hinders_nobody() -> None:
    place = Place()
    disk = Disk(300 * CHUNK, {n: noise(n) for n in range(300)})
    with place.vault.begin("web", "residents") as writer:
        taken = writer.disk("root", disk.size, chunk_bytes=CHUNK)
        taken.put(0, disk.bytes_of(0, 300))
        taken.close()
    assert place.again().points() == []
    point = back_up(place.again(), disk)
    assert_reads_as(place.again().read(point, "root"), disk)


def test_two_writers_at_once_both_have_their_points() -> None:
    place = Place()
    disks = [Disk(40 * CHUNK, {n: noise(n + s) for n in range(40)}) for s in (0, 20)]
    vaults = [place.again(), place.again()]
    writers = [vault.begin("web", "residents") for vault in vaults]
    taken = [writer.disk("root", 40 * CHUNK, chunk_bytes=CHUNK) for writer in writers]
    for at in range(0, 40, 10):
        for each, disk in zip(taken, disks, strict=True):
            each.put(at * CHUNK, disk.bytes_of(at, 10))
    for each in taken:
        each.close()
    points = [writer.commit(consistency="crash", details=DETAILS) for writer in writers]
    assert sorted(p.id for p in points) == [facts.id for facts in place.again().points("web")]
    for point, disk in zip(points, disks, strict=True):
        assert_reads_as(place.again().read(point, "root"), disk)


def test_zeroed_ranges_count_as_changed_only_where_data_was() -> None:
    place = Place()
    base = back_up(place.vault, Disk(70_000 * CHUNK, {n: noise(n) for n in (5, 300, 66_000)}))
    with place.vault.begin("web", "residents", base=base) as writer:
        taken = writer.disk("root", 70_000 * CHUNK, base_disk="root")
        taken.zeros(6 * CHUNK, 60_000 * CHUNK)
        result = taken.close()
        point = writer.commit(consistency="crash", details=DETAILS)
    assert result.changed_bytes == CHUNK
    old, new = (place.vault.read(p, "root").tree for p in (base, point))
    assert list(changed_chunks(old, new)) == [(300, 1)]


def test_trees_are_compared_where_they_differ_only() -> None:
    place = Place()
    disk = Disk(70_000 * CHUNK, {n: noise(n) for n in range(0, 70_000, 251)})
    base = back_up(place.vault, disk)
    changed = disk.with_chunks(40_000, {0: noise(10_001), 1: noise(10_002)}).without(251, 252)
    point = back_up(place.vault, changed, base=base)
    counted = [CountedNodes(place, each) for each in (base, point)]
    old, new = (Tree(each.root, 70_000, each) for each in counted)
    assert list(changed_chunks(old, new)) == [(251, 1), (40_000, 2)]
    # Of each: the top, the one node of the second level that holds both, and two leaves.
    assert [len(each.read) for each in counted] == [1 + 1 + 2] * 2


class CountedNodes:
    """A point's nodes; `read` are those that were asked for."""

    def __init__(self, place: Place, point: object) -> None:
        self._reader = place.vault.read(point, "root")  # type: ignore[arg-type]
        self.root = self._reader.tree.root
        self.read: set[bytes] = set()

    def node(self, level: int, id: bytes) -> bytes:
        self.read.add(id)
        return self._reader.items.node(level, id)

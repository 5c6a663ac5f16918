"""Whatever is told of a disk, over however many recovery points and sizes, is what is read from each."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.repository import RecoveryPoint
from tests.backup.repository.sparse_disks import (
    CHUNK,
    DETAILS,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)
from tests.thoroughness import examples

# Around the borders of leaves and of levels: 256 chunks are one leaf, 65,536 two levels.
chunk_counts = st.sampled_from([0, 1, 2, 255, 256, 257, 600, 65535, 65536, 65537, 70000])
odd_ends = st.sampled_from([0, 0, 1, 512, CHUNK - 1])
sizes = st.builds(lambda chunks, odd: max(0, chunks * CHUNK - odd), chunk_counts, odd_ends)
places = st.one_of(
    st.integers(0, 3),
    st.integers(250, 260),
    st.integers(65530, 65540),
    st.integers(0, 70000),
)


@dataclass(frozen=True)
class Told:
    """One stretch of an increment. `seed` None: zeros; else chunks from it, of which each third is
    zeros and each fourth is the same everywhere."""

    first: int
    count: int
    seed: int | None

    def chunk(self, at: int) -> bytes | None:
        if self.seed is None or (self.seed + at) % 3 == 0:
            return None
        return noise(0 if (self.seed + at) % 4 == 0 else self.seed * 1000 + at)


tellings = st.builds(
    Told,
    first=places,
    count=st.sampled_from([1, 2, 5, 40]),
    seed=st.one_of(st.none(), st.integers(1, 50)),
)
zeroed = st.builds(Told, first=places, count=st.sampled_from([300, 70000]), seed=st.none())
versions = st.tuples(sizes, st.lists(st.one_of(tellings, tellings, zeroed), max_size=5))


@given(history=st.lists(versions, min_size=1, max_size=4), full=st.booleans())
@settings(max_examples=examples(25), deadline=None)
def test_each_point_reads_as_the_disk_was(
    history: list[tuple[int, list[Told]]], full: bool
) -> None:
    place = Place()
    disk = Disk(0)
    base: RecoveryPoint | None = None
    kept: list[tuple[RecoveryPoint, Disk]] = []
    for size, tellings in history:
        disk = disk.resized(size)
        with place.vault.begin("web", "residents", base=base) as writer:
            taken = writer.disk(
                "root", size, base_disk="root" if base else None, chunk_bytes=CHUNK, how="changed"
            )
            at = 0
            for told in sorted(tellings, key=lambda told: told.first):
                first, end = max(at, told.first), min(disk.count, told.first + told.count)
                if first >= end:
                    continue
                disk = disk.without(first, end)
                offset, length = first * CHUNK, min(end * CHUNK, size) - first * CHUNK
                if told.seed is None:
                    taken.zeros(offset, length)
                else:
                    found = {n: told.chunk(n - told.first) for n in range(first, end)}
                    disk = disk.with_chunks(0, {n: c for n, c in found.items() if c is not None})
                    taken.put(offset, disk.bytes_of(first, end - first))
                at = end
            taken.close()
            base = writer.commit(consistency="crash", details=DETAILS)
        kept.append((base, disk))
    vault = place.again()
    for point, expected in kept:
        assert_reads_as(vault.read(vault.point(point.id), "root"), expected)
    # A tree depends on what the disk holds, not on how it came to hold it.
    again = back_up(vault, disk, base=base if full and disk.size else None)
    assert again.disks[0].root == kept[-1][0].disks[0].root
    assert again.stored_bytes == 0


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 256 * CHUNK, 257 * CHUNK + 9])
def test_a_dense_disk_of_any_size_comes_back(size: int) -> None:
    place = Place()
    content = (noise(1) + noise(2) + bytes(CHUNK)) * (size // (3 * CHUNK) + 1)
    with place.vault.begin("web", "residents") as writer:
        taken = writer.disk("root", size, chunk_bytes=CHUNK)
        if size:
            taken.put(0, content[:size])
        taken.close()
        point = writer.commit(consistency="stopped", details=DETAILS)
    assert place.again().read(point, "root").read(0, size + 10) == content[:size]


def test_a_buffer_may_be_used_again_as_soon_as_it_was_taken() -> None:
    place = Place()
    buffer = bytearray(noise(1))
    with place.vault.begin("web", "residents") as writer:
        taken = writer.disk("root", 2 * CHUNK, chunk_bytes=CHUNK)
        taken.put(0, memoryview(buffer))
        buffer[:] = noise(2)
        taken.put(CHUNK, buffer)
        taken.close()
        point = writer.commit(consistency="crash", details=DETAILS)
    assert place.vault.read(point, "root").read(0, 2 * CHUNK) == noise(1) + noise(2)


def test_disks_of_one_point_can_be_written_by_turns() -> None:
    place = Place()
    with place.vault.begin("web", "residents") as writer:
        root = writer.disk("root", 2 * CHUNK, chunk_bytes=CHUNK)
        data = writer.disk("data", 3 * CHUNK, chunk_bytes=2 * CHUNK)
        root.put(0, noise(1))
        data.put(0, noise(2) + noise(3))
        root.put(CHUNK, noise(4))
        data.put(2 * CHUNK, noise(5))
        data.close()
        root.close()
        point = writer.commit(consistency="quiesced", details=DETAILS, set="20261121T000000Z-0")
    found = place.again().point(point.id)
    assert place.vault.read(found, "root").read(0, 2 * CHUNK) == noise(1) + noise(4)
    assert place.vault.read(found, "data").read(0, 3 * CHUNK) == noise(2) + noise(3) + noise(5)
    assert (found.set, found.consistency) == ("20261121T000000Z-0", "quiesced")
    assert place.vault.details(found) == DETAILS


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        pytest.param(1, noise(1), id="not at a chunk's beginning"),
        pytest.param(0, noise(1)[:-1], id="not whole chunks"),
        pytest.param(2 * CHUNK, noise(1), id="behind the end"),
        pytest.param(0, b"", id="nothing"),
    ],
)
def test_what_are_not_whole_chunks_of_the_disk_is_refused(offset: int, data: bytes) -> None:
    with Place().vault.begin("web", "residents") as writer:
        taken = writer.disk("root", 2 * CHUNK, chunk_bytes=CHUNK)
        with pytest.raises(ValueError, match="are not whole chunks"):
            taken.put(offset, data)


def test_a_disk_is_told_from_front_to_back_only() -> None:
    with Place().vault.begin("web", "residents") as writer:
        taken = writer.disk("root", 2 * CHUNK, chunk_bytes=CHUNK)
        taken.put(CHUNK, noise(1))
        with pytest.raises(ValueError, match="behind what was told"):
            taken.put(0, noise(1))


def test_a_point_with_an_unfinished_disk_is_not_committed() -> None:
    place = Place()
    with place.vault.begin("web", "residents") as writer:
        writer.disk("root", CHUNK, chunk_bytes=CHUNK).put(0, noise(1))
        with pytest.raises(ValueError, match="still open"):
            writer.commit(consistency="crash", details=DETAILS)
    assert place.vault.points() == []

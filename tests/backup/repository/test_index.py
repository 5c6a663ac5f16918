"""The index only saves time: lost, damaged or stale, in the store or in the cache, it costs no backup."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.repository import Keyring, Repository, Vault
from backup.repository.cache_folders import private_folder
from backup.repository.index import Index
from backup.repository.index_object import index_object, read_index, seal_index
from backup.repository.index_run import IndexRun, merge_runs, write_run
from backup.repository.pack import (
    PACK_ROOM,
    PackBuilder,
    PackFacts,
    parse_footer,
    read_footer,
)
from backup.repository.segment import Compression, Kind
from tests.backup.repository.sparse_disks import (
    CHUNK,
    TENANT,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)
from tests.thoroughness import examples

DISK = Disk(600 * CHUNK, {n: noise(n) for n in range(0, 600, 3)})
KEY = bytes(32)


def vault_with(place: Place, cache: Path) -> Vault:
    return Repository.open(place.objects, place.key).vault(TENANT, cache=cache)


def everything(index: Index, disk: Disk, place: Place) -> list[object]:
    """Where each pack's items lie, as the index has it."""
    ids = [
        id
        for pack, length in sorted(index.packs())
        for segment in read_footer_segments(place, pack, length)
        for id, _, _ in segment
    ]
    assert len(ids) > len(disk.chunks)
    return [index.find(id) for id in ids]


def read_footer_segments(
    place: Place, pack: bytes, length: int
) -> list[list[tuple[bytes, int, int]]]:
    facts = read_footer(place.objects, place.vault.keyring, pack, length)
    return [list(segment.each()) for segment in parse_footer(facts.footer, length)]


def test_a_vault_that_nobody_closed_holds_no_file_once_it_is_gone(tmp_path: Path) -> None:
    def held() -> int:
        found = 0
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                found += ".run" in os.readlink(f"/proc/self/fd/{fd}")
        return found

    place = Place()
    back_up(place.vault, DISK)
    gc.collect()
    before = held()
    forgotten = vault_with(place, tmp_path)
    forgotten.index.refresh()
    assert held() > before
    del forgotten
    gc.collect()
    assert held() == before


def test_an_index_made_again_from_the_packs_says_the_same() -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    told = everything(place.again().index, DISK, place)
    for key in place.keys("index"):
        place.bucket.lose(key)
    vault = place.again()
    assert vault.index.packs() == []
    assert_reads_as(vault.read(point, "root"), DISK)
    assert everything(vault.index, DISK, place) == told


def test_a_damaged_index_object_is_told_and_the_packs_are_read_instead() -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    key = place.keys("index")[0]
    place.bucket.flip(key, 100)
    vault = place.again()
    assert_reads_as(vault.read(point, "root"), DISK)
    assert [error.object for error in vault.index.damaged.values()] == [key]


def test_an_increment_can_be_written_although_the_index_is_lost() -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    for key in place.keys("index"):
        place.bucket.lose(key)
    changed = DISK.with_chunks(1, {0: noise(10_001)})
    vault = place.again()
    point = back_up(vault, changed, base=base, changed=[(1, 1)])
    assert_reads_as(place.again().read(point, "root"), changed)


def test_what_another_writer_stored_meanwhile_is_found() -> None:
    place = Place()
    reader = place.again()
    assert reader.index.packs() == []
    point = back_up(place.vault, DISK)
    assert_reads_as(reader.read(point, "root"), DISK)


def test_a_cache_that_is_kept_is_not_fetched_again(tmp_path: Path) -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    with vault_with(place, tmp_path) as first:
        first.index.refresh()
    # Whoever still reads index objects fails.
    for key in place.keys("index"):
        place.bucket.flip(key, 100)
    with vault_with(place, tmp_path) as second:
        assert_reads_as(second.read(point, "root"), DISK)
        assert second.index.damaged == {}


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "another's", "locked away"])
def test_a_damaged_cache_does_no_harm(tmp_path: Path, damage: str) -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    with vault_with(place, tmp_path) as vault:
        vault.index.refresh()
    (run,) = tmp_path.rglob("*.run")
    whole = run.read_bytes()
    if damage == "another's":
        write_run(run, KEY, [next(iter(IndexRun(run, place.vault.keyring.cache_key).indexes))], [])
    for at in range(0, len(whole), max(1, len(whole) // 15)):
        if damage == "flipped":
            run.write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        elif damage == "cut":
            run.write_bytes(whole[:at])
        elif damage == "emptied":
            run.write_bytes(b"")
        elif damage == "locked away":
            run.unlink(missing_ok=True)
            run.mkdir()
        with vault_with(place, tmp_path) as vault:
            assert_reads_as(vault.read(point, "root"), DISK)
        for left in tmp_path.rglob("*.run"):
            left.rmdir() if left.is_dir() else left.unlink()
        if damage in ("emptied", "another's", "locked away"):
            break


def test_a_cache_that_rots_while_it_is_in_use_is_made_again(tmp_path: Path) -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    with vault_with(place, tmp_path) as vault:
        vault.index.refresh()
        (run,) = tmp_path.rglob("*.run")
        with run.open("r+b") as file:
            file.write(bytes(200))
        assert_reads_as(vault.read(point, "root"), DISK)


def test_a_cache_folder_that_can_not_be_written_is_done_without(tmp_path: Path) -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with vault_with(place, blocked) as vault:
        assert_reads_as(vault.read(point, "root"), DISK)


def test_what_the_collector_merged_or_removed_leaves_the_cache(tmp_path: Path) -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    other = back_up(place.vault, Disk(3 * CHUNK, {0: noise(5000)}))
    keyring = place.vault.keyring
    with vault_with(place, tmp_path) as vault:
        before = sorted(vault.index.packs())
        olds = [bytes.fromhex(key.rpartition("/")[2]) for key in place.keys("index")]
        merged = [pack for old in olds for pack in read_index(place.objects, keyring, old)]
        id, data = seal_index(merged, keyring)
        place.objects.put(index_object(keyring.tenant, id), data)
        for old in olds:
            place.objects.delete(index_object(keyring.tenant, old))
        vault.index.refresh()
        assert sorted(vault.index.packs()) == before
        assert_reads_as(vault.read(point, "root"), DISK)
    with vault_with(place, tmp_path) as vault:
        assert vault.read(other, "root").read(0, CHUNK) == noise(5000)


def test_what_a_killed_process_left_half_written_leaves_the_cache(tmp_path: Path) -> None:
    place = Place()
    folder = tmp_path / place.repository.id / str(TENANT)
    folder.mkdir(parents=True)
    half, ours = folder / ".4194999.half", folder / f".{os.getpid()}.half"
    half.write_bytes(b"half")
    ours.write_bytes(b"half")
    with vault_with(place, tmp_path) as vault:
        vault.index.refresh()
    assert not half.exists()
    assert ours.exists()


def test_folders_of_killed_processes_go_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, others = tmp_path / "yui-index-4194999-x", tmp_path / "yui-index-notes-x"
    for folder in (left, others):
        folder.mkdir()
        (folder / "file").write_bytes(b"left")
    with private_folder() as ours:
        assert Path(ours).is_dir()
        assert not left.exists()
        assert others.exists()
    assert not Path(ours).exists()


def test_many_points_leave_few_files_in_the_cache(tmp_path: Path) -> None:
    place = Place()
    with vault_with(place, tmp_path) as vault:
        for number in range(20):
            back_up(vault, Disk(CHUNK, {0: noise(number)}))
        assert len(list(tmp_path.rglob("*.run"))) <= 6
        assert len(vault.index.packs()) == 40
    files = len(os.listdir("/proc/self/fd"))
    with vault_with(place, tmp_path) as vault:
        assert len(vault.index.packs()) == 40
    assert len(os.listdir("/proc/self/fd")) == files


def some_pack(number: int, ids: list[bytes]) -> PackFacts:
    """A footer as PackBuilder writes it."""
    ring = Keyring.generate(str(TENANT), Place().objects.now())
    builder = PackBuilder(ring, bytearray(PACK_ROOM))
    for at in range(0, len(ids), 7):
        items = [(id, 10 + number) for id in ids[at : at + 7]]
        plain = bytes(sum(length for _, length in items))
        builder.add(Kind.CHUNKS, Compression.NONE, plain, len(plain), items)
    return builder.finish()[1]


few_ids = st.lists(st.integers(0, 255).map(lambda n: bytes((n,)) * 32), max_size=40)


@given(packs=st.lists(few_ids.filter(bool), min_size=1, max_size=6), cut=st.integers(1, 5))
@settings(max_examples=examples(15), deadline=None)
def test_merged_runs_tell_every_place_that_their_packs_tell(
    tmp_path_factory: pytest.TempPathFactory, packs: list[list[bytes]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    facts = [some_pack(number, ids) for number, ids in enumerate(packs)]
    runs = []
    for number, part in enumerate((facts[:cut], facts[cut:])):
        write_run(folder / f"{number}.run", KEY, [bytes((number,)) * 32], part)
        runs.append(IndexRun(folder / f"{number}.run", KEY))
    merge_runs(folder / "all.run", KEY, runs)
    merged = IndexRun(folder / "all.run", KEY)
    assert merged.indexes == {bytes(32), b"\1" * 32}
    assert list(merged.packs()) == [(pack.id, pack.length) for pack in facts]
    for id in {*(id for ids in packs for id in ids), b"\xfe" * 31 + b"\0"}:
        expected = sorted(
            facts[number].id for number, ids in enumerate(packs) for each in ids if each == id
        )
        assert sorted(merged.packs_of(id)) == expected
        assert sorted(place.pack for place in merged.find(id)) == expected
        assert sorted(p for run in runs for p in run.packs_of(id)) == expected
    for run in (*runs, merged):
        run.close()

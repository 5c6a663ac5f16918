"""Whatever rots is found before anything is believed, and named; nothing is ever read as zeros because
it is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from backup.repository import Damaged, PointDisk, RecoveryPoint, Repository
from backup.repository.canonical import time_text
from backup.repository.ids import object_id
from backup.repository.pack import check_pack
from control_plane.drivers.objects import ObjectStoreError
from control_plane.model.errors import YuiError
from tests.backup.repository.sparse_disks import (
    CHUNK,
    TENANT,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)

SMALL = Disk(
    260 * CHUNK - 100,
    {0: b"town" * 1024, 1: b"hall" * 1024, 258: noise(1)[:100].ljust(CHUNK, b"\0")},
)
DENSE = Disk(700 * CHUNK, {n: noise(n) for n in range(700)})


def reads_whole(place: Place, point: RecoveryPoint, disk: Disk) -> None:
    vault = place.again()
    found = vault.point(point.id)
    assert found.disks == point.disks
    assert_reads_as(vault.read(found, "root"), disk)
    assert vault.details(found)


def trouble_in_reading(place: Place, point: RecoveryPoint, disk: Disk) -> YuiError | None:
    try:
        reads_whole(place, point, disk)
    except YuiError as error:
        return error
    return None


@pytest.mark.long
def test_no_flipped_byte_of_a_small_repository_goes_unnoticed() -> None:
    place = Place()
    point = back_up(place.vault, SMALL)
    for key in place.bucket.keys(""):
        for at in range(len(place.bucket.bytes_of(key))):
            place.bucket.flip(key, at)
            _is_noticed(place, point, key, at)
            place.bucket.flip(key, at)
    reads_whole(place, point, SMALL)


def test_no_digit_of_what_is_text_can_become_another_unnoticed() -> None:
    """A byte turned over is no text any more; one bit of it may leave a digit that means something else.
    Only what `repository.json` tells for people's sake, its id and date, is compared with nothing."""
    place = Place()
    point = back_up(place.vault, SMALL)
    texts = ["repository.json", *place.keys("keyring"), *place.keys("points")]
    for key in texts:
        whole = place.bucket.bytes_of(key)
        for_people = set[int]()
        if key == "repository.json":
            for told in (place.repository.id, time_text(place.repository.created)):
                start = whole.index(told.encode())
                for_people.update(range(start, start + len(told)))
        for at in range(len(whole)):
            place.objects.put(key, whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
            if at not in for_people:
                _is_noticed(place, point, key, at)
        place.objects.put(key, whole)
    reads_whole(place, point, SMALL)


def _is_noticed(place: Place, point: RecoveryPoint, key: str, at: int) -> None:
    """Either reading fails and names the object, or what is read is right all the same and whoever
    compares the object with its name finds it."""
    trouble = trouble_in_reading(place, point, SMALL)
    if isinstance(trouble, Damaged):
        assert trouble.object == key, at
        return
    if trouble is not None:
        # A keyring that names another key, or a later version of the format.
        assert trouble.type in ("backup-wrong-key", "backup-version-unknown"), (key, at)
        return
    assert "/keyring/" not in key, f"byte {at} may be anything"
    assert key != "repository.json", f"byte {at} may be anything"
    with pytest.raises(Damaged) as named:
        check_pack(key, place.bucket.bytes_of(key))
    assert named.value.object == key


@pytest.mark.parametrize("kind", ["packs", "index"])
def test_flipped_bytes_of_a_larger_repository_are_noticed(kind: str) -> None:
    place = Place()
    point = back_up(place.vault, DENSE)
    for key in place.keys(kind):
        size = len(place.bucket.bytes_of(key))
        for at in {*range(0, size, max(1, size // 7)), size - 1}:
            place.bucket.flip(key, at)
            with pytest.raises(Damaged):
                check_pack(key, place.bucket.bytes_of(key))
            trouble = trouble_in_reading(place, point, DENSE)
            if trouble is not None:
                assert isinstance(trouble, Damaged)
                assert (trouble.object, trouble.points) == (key, (point.id,))
            place.bucket.flip(key, at)


@pytest.mark.parametrize("kept", [0, 10, 64, 100, -1])
def test_a_cut_pack_is_named(kept: int) -> None:
    for number in range(2):
        place = Place()
        point = back_up(place.vault, SMALL)
        key = place.keys("packs")[number]
        whole = place.bucket.bytes_of(key)
        place.bucket.truncate(key, kept % len(whole))
        with pytest.raises(Damaged) as named:
            check_pack(key, place.bucket.bytes_of(key))
        assert named.value.object == key
        trouble = trouble_in_reading(place, point, SMALL)
        # Of what was cut by a byte only the pack's end lacks, which its index tells as well.
        assert (trouble is None) == (kept == -1)
        assert trouble is None or trouble.fields["object"] == key


def test_a_lost_pack_is_named_and_never_read_as_zeros() -> None:
    for number in range(2):
        place = Place()
        point = back_up(place.vault, SMALL)
        key = place.keys("packs")[number]
        place.bucket.lose(key)
        vault = place.again()
        with pytest.raises(Damaged) as named:
            vault.read(vault.point(point.id), "root").read(0, SMALL.size)
        assert named.value.object == key
        assert named.value.points == (point.id,)
        assert point.id in named.value.en
        with pytest.raises(Damaged, match="it is not there"):
            list(vault.read(vault.point(point.id), "root").stream())


def test_what_lies_in_two_packs_is_read_from_the_one_that_is_whole() -> None:
    place = Place()
    point = back_up(place.vault, SMALL)
    first = place.keys("packs")
    for key in place.keys("index"):
        hidden = place.bucket.bytes_of(key)
        place.bucket.lose(key)
    # Nothing is known of the first packs: the same is stored again.
    other = back_up(place.repository.vault(TENANT), SMALL)
    place.objects.put(f"tenants/{TENANT}/index/{object_id(hidden).hex()}", hidden)
    assert len(place.keys("packs")) == 2 * len(first)
    for broken in first:
        place.bucket.flip(broken, 80)
        reads_whole(place, point, SMALL)
        reads_whole(place, other, SMALL)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data.replace(b'"crash"', b'"quiesced"'), id="its claims"),
        pytest.param(lambda data: data + b"\n", id="white space"),
        pytest.param(lambda _: b"{}", id="emptied"),
        pytest.param(lambda _: b"\xff", id="no text"),
    ],
)
def test_a_manifest_that_no_holder_of_the_keys_wrote_is_refused(
    change: Callable[[bytes], bytes],
) -> None:
    """Also when whoever can write the store names it by its new hash."""
    place = Place()
    point = back_up(place.vault, SMALL)
    forged = change(place.objects.get(point.key))
    place.objects.delete(point.key)
    key = f"{point.key.rpartition('.')[0]}.{object_id(forged).hex()}"
    place.objects.put(key, forged)
    with pytest.raises(Damaged) as named:
        place.again().point(point.id)
    assert named.value.object == key


def test_a_manifest_under_another_servers_name_is_refused() -> None:
    place = Place()
    point = back_up(place.vault, SMALL)
    key = point.key.replace("/web/", "/db/")
    place.objects.put(key, place.objects.get(point.key))
    place.objects.delete(point.key)
    with pytest.raises(Damaged):
        place.again().point(point.id)


def test_another_tenants_pack_under_this_ones_name_is_not_read() -> None:
    place = Place()
    point = back_up(place.vault, SMALL)
    other = Place(key=place.key)
    back_up(other.vault, SMALL)
    mine, theirs = place.keys("packs")[0], other.keys("packs")[0]
    place.objects.put(mine, other.objects.get(theirs))
    with pytest.raises(Damaged) as named:
        reads_whole(place, point, SMALL)
    assert named.value.object == mine


def test_a_tree_is_not_read_as_one_of_another_size() -> None:
    place = Place()
    point = back_up(place.vault, DENSE)
    disk = point.disks[0]
    other = PointDisk(disk.name, disk.size - CHUNK * 300, CHUNK, disk.root, "full", None, 0, 0)
    vault = place.again()
    with pytest.raises(Damaged):
        list(vault.read(replace(point, disks=(other,)), "root").stream())


def test_a_store_that_does_not_answer_is_not_called_damaged() -> None:
    place = Place()
    point = back_up(place.vault, SMALL)
    vault = place.again()
    reader = vault.read(vault.point(point.id), "root")
    place.bucket.fail(call="get", times=1)
    with pytest.raises(ObjectStoreError):
        reader.read(0, CHUNK)
    assert reader.read(0, CHUNK) == b"town" * 1024


def test_a_repository_opens_whatever_a_tenants_objects_are_like() -> None:
    place = Place()
    place.bucket.truncate(place.keys("keyring")[0], 20)
    repository = Repository.open(place.objects, place.key)
    with pytest.raises(Damaged) as named:
        repository.vault(TENANT)
    assert named.value.object == place.keys("keyring")[0]

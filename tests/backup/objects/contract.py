"""What every store of objects promises, as tests that each passes unchanged.

A store's test module derives from these classes and gives a fixture `place` of the shape of `Place`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

import pytest

from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectLocked,
    ObjectStore,
    ObjectStoreError,
    StoreRefused,
)
from control_plane.model.units import Seconds

AN_HOUR = timedelta(hours=1)
MIB = 1 << 20


class Place(Protocol):
    """An empty store."""

    @property
    def objects(self) -> ObjectStore: ...

    @property
    def keeps_versions(self) -> bool:
        """What is under retention is hidden by a put, where others refuse the put."""
        ...

    def another(self) -> ObjectStore:
        """The same place as another process sees it."""
        ...

    @property
    def shortest_retention(self) -> Seconds:
        """That it can tell from none."""
        ...

    def wait(self, seconds: Seconds) -> None:
        """Until so much time has passed there."""
        ...


BAD_KEYS = (
    *(
        "",
        "/",
        "/absolute",
        "folder/",
        "a//b",
        ".",
        "..",
        "../outside",
        "a/../b",
        "a/./b",
        ".hidden",
    ),
    *("a/.hidden", "with space", "tab\t", "line\n", "zero\0", "日本", "x" * 201, "x/" * 256 + "y"),
)


class ObjectStoreContract:
    @pytest.mark.parametrize("size", [0, 1, 65_536, 16 * MIB + 1])
    def test_what_was_put_comes_back(self, place: Place, size: int) -> None:
        data = os.urandom(size)
        place.objects.put("packs/ab/one", data)
        assert place.objects.get("packs/ab/one") == data
        assert place.another().get("packs/ab/one") == data
        assert place.objects.stat("packs/ab/one").size == size

    def test_any_part_of_an_object_can_be_read_alone(self, place: Place) -> None:
        place.objects.put("k", b"0123456789")
        read = place.objects.get
        assert read("k", start=3) == b"3456789"
        assert read("k", start=3, length=4) == b"3456"
        assert read("k", length=2) == b"01"
        assert read("k", start=8, length=100) == b"89"
        assert read("k", start=10) == b""
        assert read("k", start=99, length=1) == b""
        assert read("k", start=4, length=0) == b""

    def test_nothing_can_be_done_with_what_is_not_there(self, place: Place) -> None:
        place.objects.put("a/b", b"")
        for key in ("missing", "a", "a/c", "a/b/c"):
            for call in (place.objects.get, place.objects.stat):
                with pytest.raises(NoSuchObject, match=key):
                    call(key)
            with pytest.raises(NoSuchObject):
                place.objects.lock(key, place.objects.now() + AN_HOUR)

    def test_deleting_what_is_gone_is_success(self, place: Place) -> None:
        place.objects.put("a/b", b"1")
        place.objects.delete("a/b")
        place.objects.delete("a/b")
        place.objects.delete("a")
        place.objects.delete("never/was")
        with pytest.raises(NoSuchObject):
            place.objects.get("a/b")
        assert list(place.objects.list("")) == []

    def test_a_put_replaces_what_was_there(self, place: Place) -> None:
        place.objects.put("k", b"a longer old object")
        place.objects.put("k", b"new")
        assert place.another().get("k") == b"new"
        assert [(o.key, o.size) for o in place.objects.list("")] == [("k", 3)]

    def test_a_put_of_something_new_leaves_what_is_there(self, place: Place) -> None:
        place.objects.put("k", b"old", only_new=True)
        for data in (b"new", b"old"):
            with pytest.raises(ObjectExists):
                place.another().put("k", data, only_new=True)
        assert place.objects.get("k") == b"old"
        place.objects.delete("k")
        place.objects.put("k", b"new", only_new=True)
        assert place.objects.get("k") == b"new"

    def test_of_several_who_put_something_new_at_once_one_succeeds(self, place: Place) -> None:
        together = threading.Barrier(8)
        store = place.objects

        def put(number: int) -> bool:
            together.wait()
            try:
                store.put("keyring/1", b"by %d" % number, only_new=True)
            except ObjectExists:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            won = [number for number, did in enumerate(threads.map(put, range(8))) if did]
        assert len(won) == 1
        assert store.get("keyring/1") == b"by %d" % won[0]

    def test_a_listing_is_in_the_order_of_the_keys_bytes(self, place: Place) -> None:
        keys = ["a-b", "a.b", "a/b", "a/b.c/d", "a/b-c/d", "a/bc", "a0", "aB", "a_b", "ab/c", "b"]
        for key in reversed(keys):
            place.objects.put(key, key.encode())
        listed = list(place.objects.list(""))
        assert [o.key for o in listed] == sorted(keys)
        assert [o.size for o in listed] == [len(key) for key in sorted(keys)]
        for prefix in ("a", "a/", "a/b", "a/b.", "a/b.c/", "ab", "b", "c", "a/b.c/d", "a/b.c/d/"):
            for after in ("", "a/b", "a/b.c/", "a/bb", "zz"):
                expected = sorted(k for k in keys if k.startswith(prefix) and k > after)
                found = [o.key for o in place.objects.list(prefix, after=after)]
                assert found == expected, (prefix, after)

    def test_a_listing_goes_on_while_what_it_lists_is_deleted(self, place: Place) -> None:
        keys = [f"packs/{n:02}/x{n}" for n in range(8)]
        for key in keys:
            place.objects.put(key, b"")
        for listed in place.objects.list("packs/"):
            place.objects.delete(listed.key)
        assert list(place.objects.list("")) == []

    def test_a_key_that_could_lead_elsewhere_is_refused(self, place: Place) -> None:
        store, now = place.objects, place.objects.now()
        calls: list[Callable[[str], object]] = [
            lambda key: store.put(key, b"x"),
            lambda key: store.put(key, b"x", only_new=True),
            store.get,
            store.stat,
            store.delete,
            lambda key: store.lock(key, now),
        ]
        for key in BAD_KEYS:
            for call in calls:
                with pytest.raises(ValueError, match="key"):
                    call(key)
        assert list(place.objects.list("")) == []

    def test_the_stores_clock_tells_when_an_object_was_put(self, place: Place) -> None:
        before = place.objects.now()
        assert before.utcoffset() == timedelta(0)
        place.objects.put("k", b"")
        after = place.objects.now()
        # S3 tells whole seconds.
        second = timedelta(seconds=1)
        assert before - second <= place.objects.stat("k").modified <= after + second
        (listed,) = place.objects.list("k")
        assert before - second <= listed.modified <= after + second

    def test_the_name_says_where_it_is(self, place: Place) -> None:
        with pytest.raises(ObjectStoreError) as missing:
            place.objects.get("missing")
        assert place.objects.name in str(missing.value)


class RetentionContract:
    """For places that know retention."""

    def test_what_is_under_retention_cannot_be_deleted(self, place: Place) -> None:
        until = (place.objects.now() + AN_HOUR).replace(microsecond=0)
        place.objects.put("k", b"kept", only_new=True, locked_until=until)
        assert place.objects.stat("k").locked_until == until
        for store in (place.objects, place.another()):
            with pytest.raises(ObjectLocked, match="k"):
                store.delete("k")
        assert place.objects.get("k") == b"kept"
        assert [o.key for o in place.objects.list("")] == ["k"]

    def test_what_is_under_retention_cannot_be_destroyed_by_a_put(self, place: Place) -> None:
        store = place.objects
        store.put("k", b"kept", locked_until=store.now() + AN_HOUR)
        with pytest.raises(ObjectExists):
            store.put("k", b"other", only_new=True)
        if not place.keeps_versions:
            with pytest.raises(ObjectLocked):
                store.put("k", b"other")
            assert store.get("k") == b"kept"
            return
        store.put("k", b"other")
        assert store.get("k") == b"other"
        with pytest.raises(ObjectLocked):
            store.delete("k")

    def test_retention_is_extended_and_never_shortened(self, place: Place) -> None:
        store = place.objects
        until = (store.now() + AN_HOUR).replace(microsecond=0)
        store.put("k", b"")
        assert store.stat("k").locked_until is None
        store.lock("k", until)
        assert store.stat("k").locked_until == until
        store.lock("k", until - timedelta(minutes=30))
        assert store.stat("k").locked_until == until
        store.lock("k", until + AN_HOUR)
        assert store.stat("k").locked_until == until + AN_HOUR
        with pytest.raises(ObjectLocked):
            store.delete("k")

    def test_a_retention_that_would_have_ended_is_refused(self, place: Place) -> None:
        store = place.objects
        past = store.now() - AN_HOUR
        with pytest.raises(StoreRefused, match="k"):
            store.put("k", b"", locked_until=past)
        assert list(store.list("")) == []
        store.put("k", b"")
        with pytest.raises(StoreRefused, match="k"):
            store.lock("k", past)
        assert store.stat("k").locked_until is None
        with pytest.raises(NoSuchObject):
            store.lock("missing", past)
        until = (store.now() + AN_HOUR).replace(microsecond=0)
        store.lock("k", until)
        store.lock("k", past)
        assert store.stat("k").locked_until == until

    def test_what_was_under_retention_can_be_deleted_once_that_has_ended(
        self, place: Place
    ) -> None:
        store = place.objects
        store.put("k", b"")
        store.put("k", b"", locked_until=store.now() + timedelta(seconds=place.shortest_retention))
        with pytest.raises(ObjectLocked):
            store.delete("k")
        place.wait(Seconds(place.shortest_retention * 1.5))
        store.delete("k")
        with pytest.raises(NoSuchObject):
            store.stat("k")

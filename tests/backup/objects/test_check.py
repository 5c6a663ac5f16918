"""What a place cannot do is found out by trying it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from backup.objects.check import check
from backup.objects.directory import DirectoryStore
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.system_clock import SystemClock

PLACE = "s3://backups?credentials=env:X"


def codes(store: ObjectStore, world: SimulatedWorld) -> list[str]:
    return [shortcoming.code for shortcoming in check(store, world.clock)]


def test_a_store_that_does_all_lacks_nothing_and_is_left_as_it_was() -> None:
    world = SimulatedWorld()
    store = world.objects(PLACE)
    store.put("k", b"")
    assert codes(store, world) == []
    assert codes(store, world) == []
    # Until its retention has ended.
    assert len(world.bucket(PLACE).keys("probes/")) == 2
    world.clock.sleep(timedelta(minutes=1).total_seconds())  # type: ignore[arg-type]
    assert codes(store, world) == []
    assert len(world.bucket(PLACE).keys("probes/")) == 1


def test_a_folder_says_against_whom_its_retention_holds(tmp_path: Path) -> None:
    (found,) = check(DirectoryStore(tmp_path), SystemClock())
    assert found.code == "retention-by-yui-alone"
    assert not found.grave
    assert str(tmp_path) in found.en
    assert str(tmp_path) in found.ja


def test_clocks_that_are_far_apart_are_told() -> None:
    world = SimulatedWorld()
    world.bucket(PLACE).skew = timedelta(minutes=-90)
    (found,) = check(world.objects(PLACE), world.clock)
    assert found.code == "clocks-apart"
    assert "90 minutes apart" in found.en


class Lying:
    """A store that says yes to what it does not do."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.name = store.name
        self.get, self.stat, self.list = store.get, store.stat, store.list
        self.delete, self.lock, self.now = store.delete, store.lock, store.now

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        del only_new, locked_until
        self._store.put(key, data)


def test_a_store_that_only_says_yes_is_grave() -> None:
    world = SimulatedWorld()
    found = check(Lying(world.objects(PLACE)), world.clock)
    assert [s.code for s in found] == ["replaces-what-exists", "retention-can-be-ended"]
    assert all(s.grave for s in found)

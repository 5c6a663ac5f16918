"""A folder as an object store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from backup.objects.directory import DirectoryStore
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectLocked,
    StoreFull,
    StoreUnavailable,
)
from control_plane.model.units import Seconds
from tests.backup.objects.contract import AN_HOUR, ObjectStoreContract, RetentionContract
from tests.small_disk import fill, free, mounted_disk


@dataclass
class Folder:
    path: Path
    keeps_versions: bool = False
    shortest_retention: Seconds = Seconds(0.3)

    def __post_init__(self) -> None:
        self.objects = DirectoryStore(self.path)

    def another(self) -> DirectoryStore:
        return DirectoryStore(self.path)

    def wait(self, seconds: Seconds) -> None:
        time.sleep(seconds)


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestDirectory(ObjectStoreContract, RetentionContract):
    pass


def test_an_object_is_a_plain_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    DirectoryStore(tmp_path).put("tenants/131016/packs/ab/x", b"data")
    file = tmp_path / "tenants/131016/packs/ab/x"
    assert file.read_bytes() == b"data"
    assert file.stat().st_mode & 0o077 == 0


def test_a_put_onto_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk") as disk:
        store = DirectoryStore(disk)
        store.put("packs/kept", b"kept")
        fill(disk)
        for only_new in (True, False):
            with pytest.raises(StoreFull, match=r"packs/large could not be written: No space"):
                store.put("packs/large", bytes(1 << 20), only_new=only_new)
        with pytest.raises(NoSuchObject):
            store.get("packs/large")
        assert [o.key for o in store.list("")] == ["filler", "packs/kept"]
        assert list((disk / ".unfinished").iterdir()) == []
        free(disk)
        store.put("packs/large", bytes(1 << 20))
        assert store.get("packs/kept") == b"kept"


def test_a_folder_that_is_not_mounted_is_unavailable_and_is_not_made(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "absent")
    for call in (
        lambda: store.put("k", b""),
        lambda: store.put("k", b"", only_new=True),
        lambda: store.get("k"),
        lambda: store.stat("k"),
        lambda: list(store.list("")),
        lambda: store.delete("k"),
        lambda: store.lock("k", store.now()),
        store.now,
    ):
        with pytest.raises(StoreUnavailable, match="mount what belongs there"):
            call()
    assert not (tmp_path / "absent").exists()


KILLED_WRITER = """
import sys
from pathlib import Path
from backup.objects.directory import DirectoryStore
store = DirectoryStore(Path(sys.argv[1]))
print("begins", flush=True)
for n in range(1_000_000):
    store.put(f"packs/{n:06}", bytes([n % 251]) * 300_000, only_new=True)
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_whole_objects_and_nothing_that_is_listed(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = -1
    for line in writer.stdout:
        acknowledged = int(line) if line.strip().isdigit() else -1
        if acknowledged >= 20:
            break
    writer.send_signal(signal.SIGKILL)
    rest = writer.communicate(timeout=60)[0].split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    store = DirectoryStore(tmp_path)
    listed = [o.key for o in store.list("")]
    assert listed[: acknowledged + 1] == [f"packs/{n:06}" for n in range(acknowledged + 1)]
    for n, key in enumerate(listed):
        assert store.get(key) == bytes([n % 251]) * 300_000


def test_what_killed_writers_left_is_swept_a_day_later(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("k", b"")
    for name, hours in (("old", 25), ("recent", 1)):
        left = tmp_path / ".unfinished" / name
        left.write_bytes(b"half")
        then = time.time() - hours * 3600
        os.utime(left, (then, then))
    DirectoryStore(tmp_path).put("l", b"")
    assert [left.name for left in (tmp_path / ".unfinished").iterdir()] == ["recent"]
    assert [o.key for o in store.list("")] == ["k", "l"]


def test_a_retention_that_cannot_be_read_holds(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("a/k", b"", locked_until=store.now() + AN_HOUR)
    (tmp_path / ".retention/a/k").write_text("soon")
    with pytest.raises(ObjectLocked):
        store.delete("a/k")


def test_the_folders_of_what_was_deleted_go_with_it(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("tenants/131016/points/s1/p", b"", locked_until=store.now() + AN_HOUR)
    ended = store.now() - timedelta(days=1)
    (tmp_path / ".retention/tenants/131016/points/s1/p").write_text(ended.isoformat())
    store.put("tenants/131016/packs/ab/q", b"")
    store.delete("tenants/131016/points/s1/p")
    assert [p.name for p in (tmp_path / "tenants/131016").iterdir()] == ["packs"]

"""What a disk's own file says of its changes is read as QEMU wrote it, or not believed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.drivers.backup_source import Extent

pytest.importorskip("libvirt")

from control_plane.drivers.libvirt.qcow2_bitmaps import bitmaps, marks

MIB = 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """1 GiB of which three places have changed since the bitmap `kept` was begun."""
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("needs qemu-img and qemu-io")
    made = tmp_path / "disk.qcow2"
    commands = (
        ["qemu-img", "create", "-q", "-f", "qcow2", made, "1G"],
        ["qemu-img", "bitmap", "--add", made, "kept"],
        ["qemu-img", "bitmap", "--add", "-g", "128k", made, "coarse"],
        ["qemu-img", "bitmap", "--add", "--disable", made, "asleep"],
        ["qemu-io", "-c", "write 0 64k", "-c", "write 300M 1M", "-c", "write 1023M 1k", made],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return made


def reader(file: Path) -> Callable[[int, int], bytes]:
    content = file.read_bytes()
    return lambda offset, length: content[offset : offset + length]


def test_marks_are_those_that_qemu_made(disk: Path) -> None:
    found = {each.name: each for each in bitmaps(reader(disk))}
    assert {name: each.believable for name, each in found.items()} == {
        "kept": True,
        "coarse": True,
        "asleep": False,
    }
    assert list(marks(found["kept"], reader(disk)).extents()) == [
        Extent(0, 65536, True),
        Extent(300 * MIB, MIB, True),
        Extent(1023 * MIB, 65536, True),
    ]
    assert list(marks(found["coarse"], reader(disk)).extents()) == [
        Extent(0, 131072, True),
        Extent(300 * MIB, MIB, True),
        Extent(1023 * MIB, 131072, True),
    ]


def test_bitmaps_are_not_believed_once_somebody_wrote_who_does_not_know_them(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(88)
        file.write(bytes(8))
    assert not any(each.believable for each in bitmaps(reader(disk)))


def test_a_disk_without_bitmaps_has_none(tmp_path: Path) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("needs qemu-img")
    plain = tmp_path / "plain.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", plain, "1M"], check=True)
    assert bitmaps(reader(plain)) == []


def test_a_file_that_ends_too_early_is_refused_and_not_taken_for_unchanged(disk: Path) -> None:
    found = {each.name: each for each in bitmaps(reader(disk))}["kept"]
    whole = disk.read_bytes()
    for end in (found.table_offset, found.table_offset + 1):
        with pytest.raises(ValueError, match="bitmap"):
            marks(found, lambda offset, length, end=end: whole[:end][offset : offset + length])
    with pytest.raises(ValueError, match="qcow2"):
        bitmaps(lambda offset, length: b"no disk at all".ljust(512)[offset : offset + length])

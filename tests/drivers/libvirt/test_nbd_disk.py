"""A disk that QEMU serves is read as it is, in bounded memory, and an error when it is served no more."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from control_plane.drivers.backup_source import ROOT_DISK, Extent
from control_plane.drivers.libvirt.nbd_disk import NbdDisk, Served, load_libnbd
from control_plane.drivers.libvirt.nbd_transport import Place, Protection, Transport
from control_plane.drivers.protocol import DriverError, ReadingBroken
from control_plane.model.full_read import WhyFull
from control_plane.model.ids import ServerId

CHECKOUT = Path(__file__).parents[3]
UNIT = 64 * 1024
SIZE = 64 * 2**20
PLACES = {0: 100, 5 * 2**20 - 7: 3 * 2**20, 40 * 2**20 + 4096: 4096, SIZE - 11: 11}


@dataclass
class ServedFile:
    content: bytes
    place: Place
    server: subprocess.Popen[bytes]

    def open(self) -> NbdDisk:
        return NbdDisk(
            self.place, Served(ROOT_DISK, "", None, WhyFull.FIRST, lambda: ReadingBroken("over"))
        )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedFile]:
    if shutil.which("qemu-nbd") is None:
        pytest.skip("needs qemu-nbd")
    try:
        load_libnbd()
    except DriverError as absent:
        pytest.skip(str(absent))
    content = bytearray(SIZE)
    noise = random.Random(7)  # noqa: S311 — not a secret
    file, path = tmp_path / "disk.raw", tmp_path / "nbd"
    with file.open("wb") as disk:
        disk.truncate(SIZE)
        for offset, length in PLACES.items():
            content[offset : offset + length] = noise.randbytes(length)
            disk.seek(offset)
            disk.write(content[offset : offset + length])
    server = subprocess.Popen(
        ["qemu-nbd", "-r", "-t", "-e", "4", "-f", "raw", "-k", str(path), str(file)]
    )
    deadline = time.monotonic() + 30
    with socket.socket(socket.AF_UNIX) as probe:
        while probe.connect_ex(str(path)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    here = Transport(Protection.SAME_MACHINE, folder=str(tmp_path))
    yield ServedFile(bytes(content), Place(here, socket=str(path)), server)
    server.kill()
    server.wait()


def test_every_byte_is_read_once_and_zeros_are_not(served: ServedFile) -> None:
    disk = served.open()
    for align in (1, UNIT):
        found, told = bytearray(SIZE), 0
        extents = list(disk.extents(align))
        for offset, data in disk.stream(extents):
            found[offset : offset + len(data)] = data
            told += len(data)
        assert found == served.content
        assert told < 4 * 2**20
        assert sum(extent.length for extent in extents) == SIZE


def test_any_part_can_be_read(served: ServedFile) -> None:
    disk = served.open()
    noise = random.Random(11)  # noqa: S311 — not a secret
    for _ in range(200):
        offset = noise.choice([*PLACES, noise.randrange(SIZE)])
        length = min(noise.choice([0, 1, 100, UNIT, UNIT + 1, 3 * 2**20]), SIZE - offset)
        assert disk.read(offset, length) == served.content[offset : offset + length]
    with pytest.raises(ValueError, match="beyond"):
        disk.read(SIZE - 1, 2)


def test_who_stops_reading_half_way_can_read_on(served: ServedFile) -> None:
    disk = served.open()
    for _ in range(20):
        next(disk.stream([Extent(0, SIZE, True)]))
    assert disk.read(0, 2**20) == served.content[: 2**20]


def test_memory_does_not_grow_with_what_is_read(served: ServedFile) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    disk = served.open()
    sum(len(data) for _, data in disk.stream([Extent(0, SIZE, True)]))
    before = resident()
    for _ in range(8):
        assert sum(len(data) for _, data in disk.stream([Extent(0, SIZE, True)])) == SIZE
    assert resident() - before < SIZE


def test_a_disk_that_is_served_no_more_is_an_error_and_never_a_hole(served: ServedFile) -> None:
    disk = served.open()
    reading = disk.stream([Extent(0, SIZE, True)])
    next(reading)
    served.server.kill()
    served.server.wait()
    with pytest.raises(ReadingBroken):
        for _ in reading:
            pass
    with pytest.raises(ReadingBroken):
        list(disk.extents())
    with pytest.raises(DriverError):
        served.open()


def test_a_machine_without_libnbd_is_told_what_to_install() -> None:
    """In a process that has not loaded it, and looks for it in a folder without it."""
    asking = (
        "from control_plane.drivers.libvirt.nbd_disk import load_libnbd; load_libnbd('/nowhere')"
    )
    asked = subprocess.run(
        [sys.executable, "-c", asking], cwd=CHECKOUT, check=False, capture_output=True, text=True
    )
    if asked.returncode == 0:
        pytest.skip("this Python has libnbd of its own")
    assert asked.stderr.splitlines()[-1].endswith("install Debian's package python3-libnbd")


@pytest.mark.parametrize(
    ("uri", "protection", "host", "folder"),
    [
        ("qemu+tls://kyoto-1.example/system", Protection.TLS, "kyoto-1.example", None),
        ("qemu://kyoto-1.example/system?pkipath=/etc/yui", Protection.TLS, "kyoto-1.example", "/etc/yui"),
        ("qemu+ssh://root@kyoto-1.example/system", Protection.TLS, "kyoto-1.example", None),
        ("qemu+tcp://10.0.0.1:16509/system", Protection.NONE, "10.0.0.1", None),
    ],
)  # fmt: skip
def test_disks_travel_as_protected_as_libvirt_itself(
    uri: str, protection: Protection, host: str, folder: str | None
) -> None:
    assert Transport.of(uri) == Transport(protection, host, folder)
    place = Transport.of(uri).place(ServerId("web"), 0)
    assert place.server_element().get("tls") == ("yes" if protection is Protection.TLS else None)


def test_disks_of_this_very_machine_do_not_travel() -> None:
    place = Transport.of("qemu:///system").place(ServerId("web"), 0)
    assert place.server_element().get("transport") == "unix"

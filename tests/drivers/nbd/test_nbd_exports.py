"""Disks are served as they are to whoever knows their names, and to nobody else; what can't be read is an error."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from control_plane.drivers.backup_source import ROOT_DISK, Extent
from control_plane.drivers.disk_exports import ServedDisk, Unreadable
from control_plane.drivers.libvirt.nbd_disk import NbdDisk, Served, load_libnbd
from control_plane.drivers.libvirt.nbd_transport import Place, Protection, Transport
from control_plane.drivers.nbd import NbdExports
from control_plane.drivers.protocol import DriverError
from control_plane.model.errors import YuiError
from control_plane.model.full_read import WhyFull
from tests.drivers.libvirt.tls_folder import CLIENT, OTHER, SERVER, certificates

UNIT = 64 * 1024
SIZE = 40 * 2**20 + 512
DATA = ((UNIT, 3 * UNIT), (20 * 2**20, 2**20), (SIZE - 512, 512))


class Held:
    """A disk, which can be lost."""

    def __init__(self) -> None:
        noise = random.Random(7)  # noqa: S311 — not a secret
        self.content = bytearray(SIZE)
        extents, at = [], 0
        for offset, length in DATA:
            self.content[offset : offset + length] = noise.randbytes(length)
            extents += [Extent(at, offset - at, False), Extent(offset, length, True)]
            at = offset + length
        self.disk = ServedDisk(SIZE, tuple(extents), self._read)
        self.lost = False

    def _read(self, offset: int, length: int) -> bytes:
        if self.lost:
            raise Unreadable
        return bytes(self.content[offset : offset + length])


@pytest.fixture(autouse=True)
def needs_libnbd() -> None:
    try:
        load_libnbd()
    except DriverError as absent:
        pytest.skip(str(absent))


@contextmanager
def called(place: Place, name: str) -> Iterator[NbdDisk]:
    told = Served(ROOT_DISK, name, None, WhyFull.FIRST, lambda: DriverError("it was lost"))
    disk = NbdDisk(place, told)
    try:
        yield disk
    finally:
        disk.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def test_a_disk_is_read_as_it_is_and_again_from_whoever_comes_after(tmp_path: Path) -> None:
    held, address = Held(), f"nbd+unix://{tmp_path}/disks"
    place = Place(Transport(Protection.SAME_MACHINE), socket=str(tmp_path / "disks"))
    for _ in range(2):
        exports = NbdExports(address)
        with exports.serve(exports.place("a-name"), held.disk):
            with called(place, "a-name") as disk:
                extents = list(disk.extents())
                assert extents == list(held.disk.extents)
                found = bytearray(SIZE)
                for offset, data in disk.stream(extents):
                    found[offset : offset + len(data)] = data
                assert found == held.content
                assert disk.read(UNIT - 5, 10) == held.content[UNIT - 5 : UNIT + 5]
            held.lost = True
            nbd = load_libnbd()
            handle = nbd.NBD()
            handle.set_export_name("a-name")
            handle.connect_unix(place.socket)
            with pytest.raises(nbd.Error, match="Input/output error"):
                handle.pread(512, 20 * 2**20)
            held.lost = False
            assert handle.pread(512, 20 * 2**20) == held.content[20 * 2**20 :][:512]
            handle.shutdown()
            with pytest.raises(DriverError), called(place, "another"):
                pass
        with pytest.raises(DriverError), called(place, "a-name"):
            pass
        exports.close()


def test_over_a_network_only_those_of_the_same_authority_are_answered(tmp_path: Path) -> None:
    certificates(tmp_path, "127.0.0.1")
    held, port = Held(), free_port()
    exports = NbdExports(f"nbds://127.0.0.1:{port}?certificates={tmp_path / SERVER}")
    backing = exports.place("a-name")
    assert backing == f"nbds://127.0.0.1:{port}/a-name"
    with exports.serve(backing, held.disk):
        for folder, protection in ((OTHER, Protection.TLS), (CLIENT, Protection.NONE)):
            transport = Transport(protection, "127.0.0.1", str(tmp_path / folder))
            with pytest.raises(DriverError), called(Place(transport, port), "a-name") as disk:
                disk.read(UNIT, 512)
        transport = Transport(Protection.TLS, "127.0.0.1", str(tmp_path / CLIENT))
        with called(Place(transport, port), "a-name") as disk:
            assert disk.read(UNIT, 512) == held.content[UNIT : UNIT + 512]
    exports.close()


def test_what_is_no_address_or_another_ones_is_refused(tmp_path: Path) -> None:
    for wrong in ("nbds://host:10809", "http://host", "nbd+unix://path", "nbd://:1", "nbd://h:x"):
        with pytest.raises(YuiError, match="no address"):
            NbdExports(wrong)
    exports = NbdExports(f"nbd+unix://{tmp_path}/disks")
    with (
        pytest.raises(YuiError, match="does not serve") as refused,
        exports.serve("nbd://elsewhere:10809/secret-name", Held().disk),
    ):
        pass
    assert "secret-name" not in refused.value.en + refused.value.ja
    exports = NbdExports("nbd+unix:///nowhere/at/all")
    with (
        pytest.raises(YuiError, match="can't serve"),
        exports.serve(exports.place("a-name"), Held().disk),
    ):
        pass

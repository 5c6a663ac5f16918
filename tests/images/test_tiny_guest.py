"""The tiny guest keeps its word: what it answered 201 to is on its disk, whatever happens next."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from images.build import BuiltImage, build_tiny
from tests.images.conftest import KEPT
from tests.images.guest import need, overlay, powered_on, seed

pytestmark = pytest.mark.hypervisor

ENV = (
    "ADDRESS=10.0.2.15/24\nGATEWAY=10.0.2.2\nHOSTNAME=kyoto-db-1\n"
    "MAC=52:54:00:77:16:05\nROLE=database\n"
)


def test_a_record_survives_the_power_cut_that_follows_its_answer(
    tiny: BuiltImage, tmp_path: Path
) -> None:
    disk, seed_disk = overlay(tmp_path, tiny.path), seed(tmp_path, {"yui.env": ENV})
    with powered_on(disk, seed_disk) as guest:
        first = guest.http.get("/health").json()
        assert guest.http.post("/records", content="夜間バッチ 1").status_code == 201
        answer = guest.http.post("/records", content='{"世帯": "\\"山田\\"\\n"}')
        guest.cut_power()
    assert answer.status_code == 201
    assert (first["server"], first["role"], first["records"]) == ("kyoto-db-1", "database", 0)

    with powered_on(disk, seed_disk) as guest:
        after = guest.http.get("/health").json()
        kept = guest.http.get("/records").json()
    assert kept == {
        "server": "kyoto-db-1",
        "records": ["夜間バッチ 1", '{"世帯": "\\"山田\\"\\n"}'],
    }
    assert after["boot_id"] != first["boot_id"]
    assert after["records"] == 2


def test_many_writers_at_once_lose_nothing_and_the_power_button_shuts_down_cleanly(
    tiny: BuiltImage, tmp_path: Path
) -> None:
    disk, seed_disk = overlay(tmp_path, tiny.path), seed(tmp_path, {"yui.env": ENV})
    sent = [f"record {number}" for number in range(24)]
    with powered_on(disk, seed_disk) as guest:
        with ThreadPoolExecutor(6) as writers:
            answers = list(
                writers.map(lambda text: guest.http.post("/records", content=text), sent)
            )
        assert {answer.status_code for answer in answers} == {201}
        assert sorted(guest.http.get("/records").json()["records"]) == sorted(sent)
        guest.tell("system_powerdown")
        guest.process.wait(timeout=120)
        assert "is off" in guest.console()
    raw = tmp_path / "after.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    # Clean: nothing of the journal had to be replayed, and nothing is amiss.
    state = subprocess.run(
        ["dumpe2fs", "-h", f"{raw}?offset={33 * 1024 * 1024}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "needs_recovery" not in state.stdout
    assert "Filesystem state:         clean" in state.stdout


@pytest.fixture(scope="module")
def running_guest(
    tiny: BuiltImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("guest")
    with powered_on(overlay(folder, tiny.path), seed(folder, {"yui.env": ENV})) as guest:
        yield guest.http


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/records", b"", 400, id="empty body"),
        pytest.param("POST", "/records", b"\xff\xfe", 400, id="not UTF-8"),
        pytest.param("POST", "/records", b"\xed\xa0\x80", 400, id="a surrogate in UTF-8"),
        pytest.param("POST", "/records", b"x" * 16385, 413, id="body too long"),
        pytest.param("DELETE", "/records", b"", 405, id="method that is not offered"),
        pytest.param("GET", "/../etc/passwd", b"", 404, id="path that climbs out"),
        pytest.param("GET", "/$(reboot)", b"", 404, id="shell in the path"),
    ],
)
def test_refuses_bad_requests_and_goes_on_answering(
    running_guest: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    answer = running_guest.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert running_guest.get("/health").json()["records"] == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GARBAGE\r\n\r\n", b"400", id="not HTTP"),
        pytest.param(b"\0" * 4000 + b"\r\n\r\n", b"400", id="zeros"),
        pytest.param(b"POST /records HTTP/1.1\r\n\r\n", b"411", id="no length"),
        pytest.param(
            b"POST /records HTTP/1.1\r\nContent-Length: $(reboot)\r\n\r\n", b"411", id="shell as length"
        ),
        pytest.param(
            b"POST /records HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"413", id="huge length"
        ),
        pytest.param(
            b"POST /records HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort", b"400", id="body cut off"
        ),
        pytest.param(
            b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 70 + b"\r\n", b"431", id="too many headers"
        ),
    ],
)  # fmt: skip
def test_refuses_what_is_not_a_whole_request(
    running_guest: httpx.Client, sent: bytes, status: bytes
) -> None:
    address = (running_guest.base_url.host, running_guest.base_url.port)
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.split(b" ")[1] == status
    assert running_guest.get("/health").json()["records"] == 0


def test_a_record_torn_by_a_power_cut_is_not_shown_and_spoils_no_later_one(
    tiny: BuiltImage, tmp_path: Path
) -> None:
    need("debugfs")
    raw, torn = tmp_path / "disk.raw", tmp_path / "records"
    subprocess.run(["qemu-img", "convert", "-O", "raw", tiny.path, raw], check=True)
    torn.write_bytes(b'\n"whole"\n\n"torn \\"')
    subprocess.run(
        ["debugfs", "-w", "-R", f"write {torn} records", f"{raw}?offset={33 * 1024 * 1024}"],
        check=True,
        capture_output=True,
    )
    with powered_on(raw, seed(tmp_path, {"yui.env": ENV})) as guest:
        assert guest.http.post("/records", content="later").status_code == 201
        assert guest.http.get("/records").json()["records"] == ["whole", "later"]


def test_reads_plain_nocloud_files_from_a_cdrom_where_there_is_no_yui_env(
    tiny: BuiltImage, tmp_path: Path
) -> None:
    files = {
        "meta-data": "instance-id: i-1\nlocal-hostname: saga-app-1\n",
        "user-data": "#cloud-config\n",
        "network-config": (
            "version: 2\nethernets:\n  eth0:\n    addresses: [10.0.2.15/24]\n    gateway4: 10.0.2.2\n"
        ),
    }
    disk = overlay(tmp_path, tiny.path)
    with powered_on(disk, seed(tmp_path, files), cdrom=True) as guest:
        assert guest.http.get("/health").json()["server"] == "saga-app-1"


def test_the_same_inputs_give_the_same_bytes(tiny: BuiltImage, tmp_path: Path) -> None:
    again = build_tiny(tmp_path, package_cache=KEPT / "packages")
    assert again.path != tiny.path
    assert again.sha256 == tiny.sha256

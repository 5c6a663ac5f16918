"""A disk that is written on the way is one that QEMU's own tools find no fault with."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random

import pytest

from control_plane.drivers.qcow2_stream import Qcow2Stream


@pytest.fixture(scope="module")
def qemu_img() -> None:
    try:
        subprocess.run(["qemu-img", "--version"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("qemu-img is not installed")


@pytest.mark.parametrize("size", [2**20, 3 * 2**30 + 512, 70 * 2**40])
@pytest.mark.usefixtures("qemu_img")
def test_a_stream_becomes_a_disk_without_a_fault(tmp_path: Path, size: int) -> None:
    chance = Random(size)  # noqa: S311 — the same places on every run
    path = tmp_path / "disk.qcow2"
    expected: dict[int, bytes] = {}
    with path.open("wb") as file:

        def write(offset: int, data: bytes) -> None:
            file.seek(offset)
            file.write(data)

        stream = Qcow2Stream(size, write)
        # Halves of clusters, more of them than are held, in no order.
        places = {chance.randrange(size // 32768 - 1) * 32768 for _ in range(600)}
        for place in sorted(places, key=lambda _: chance.random()):
            expected[place] = chance.randbytes(512) * 64
            stream.put(place, expected[place])
        length = stream.finish()
    assert path.stat().st_size == length
    _check(path, size)
    raw = tmp_path / "some.raw"
    for place in chance.sample(sorted(expected), 5):
        subprocess.run(
            ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=32768", f"skip={place // 32768}", "count=" + str(place // 32768 + 1), f"if={path}", f"of={raw}"],
            check=True,
        )  # fmt: skip
        assert raw.read_bytes()[:32768] == expected[place]


def _check(path: Path, size: int) -> None:
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], check=True)
    said = subprocess.run(
        ["qemu-img", "info", "--output=json", path], check=True, capture_output=True
    )
    shown = json.loads(said.stdout)
    assert shown["virtual-size"] == size
    assert shown.get("backing-filename") is None

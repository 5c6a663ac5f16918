"""A disk that is full: what was asked for is refused, all else goes on, and room is all it takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.model.errors import YuiError
from images.build import build_tiny
from tests.bad_input.conftest import (
    Plane,
    eventually,
    furnish,
    refused,
    refused_over_http,
    refused_to_start,
)
from tests.cli.running import environment_of
from tests.cli.served import DECLARED, served
from tests.plain_http import ask
from tests.small_disk import fill, free, mounted_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", size="4m") as disk:
        yield disk


@pytest.mark.long
def test_a_new_state_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    fill(disk)
    arguments = (
        *("--database", f"sqlite:///{disk / 'state.db'}", "--plain-http", "--simulated"),
        *("--port", "18443", "--first-token", str(tmp_path / "token")),
    )
    en, ja = refused_to_start(arguments, environment_of(tmp_path), code=1)
    assert f"The disk that holds the state {disk / 'state.db'} is full" in en
    assert "空きがない" in ja
    assert not (tmp_path / "token").exists()


@pytest.mark.long
def test_a_disk_that_fills_up_under_a_control_plane_that_runs(disk: Path, tmp_path: Path) -> None:
    with served(tmp_path, state=disk / "state.db") as running:
        plane = Plane(running, disk / "state.db")
        furnish(plane)
        fill(disk)
        join = ("member", "join", "012289", "-b", "facility-booking")
        said = refused(plane, *join, code=1, type="state-disk-full")
        assert "free some room" in said.en
        assert "空き" in said.ja
        body = {"code": "012289", "blueprints": ["facility-booking"]}
        refused_over_http(plane, "POST", "/v1/members", body, status=507, type="state-disk-full")
        image = ("--name", "office", "--version", "1", "--provenance", "made for a test", *DECLARED)
        refused(plane, "image", "add", "tiny.raw", *image, code=1, type="state-disk-full")
        assert {host["health"] for host in plane.data("host", "list")} == {"up"}
        assert ask("GET", f"{running.url}/healthz").status_code == 200
        free(disk)
        eventually(lambda: plane.yui(*join, "--wait").returncode == 0)
        assert [m["code"] for m in plane.data("member", "list")] == ["012220", "012289"]


@pytest.mark.long
def test_an_image_that_is_made_on_a_full_disk(disk: Path) -> None:
    if shutil.which("syslinux") is None or shutil.which("mke2fs") is None:
        pytest.skip("needs the programs that make an image")
    fill(disk)
    with pytest.raises(YuiError) as refusal:
        build_tiny(disk / "images")
    assert refusal.value.type == "image-disk-full"
    assert str(disk / "images") in refusal.value.en
    assert "空きがない" in refusal.value.ja
    assert [path.name for path in disk.rglob("*") if "tiny-" in path.name] == []
    assert list(disk.rglob("building-*")) == []

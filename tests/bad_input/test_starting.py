"""`yui serve` where it cannot: it says why in one sentence, and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.conftest import Plane, refused_to_start, unchanged
from tests.cli.running import environment_of


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield str(other.getsockname()[1])


@pytest.fixture
def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def serving(folder: Path, port: str) -> tuple[str, ...]:
    return (
        *("--database", f"sqlite:///{folder / 'state.db'}", "--plain-http", "--simulated"),
        *("--port", port, "--first-token", str(folder / "token")),
    )


def test_a_port_in_use(tmp_path: Path, taken_port: str) -> None:
    en, ja = refused_to_start(serving(tmp_path, taken_port), environment_of(tmp_path), code=6)
    assert f"Port {taken_port} on 127.0.0.1 is in use" in en
    assert f"ポート {taken_port}" in ja
    assert list(tmp_path.iterdir()) == []


def test_a_second_control_plane_on_the_same_sqlite_file(plane: Plane, free_port: str) -> None:
    with unchanged(plane):
        en, ja = refused_to_start(
            serving(plane.state.parent, free_port), plane.served.environment, code=5
        )
    assert str(plane.state) in en
    assert "PostgreSQL" in en
    assert "コントロールプレーン" in ja
    assert not (plane.state.parent / "token").exists()
    assert plane.yui("host", "list").returncode == 0


def test_a_state_that_is_no_database(tmp_path: Path, free_port: str) -> None:
    (tmp_path / "state.db").write_bytes(b"minutes of the council" * 1000)
    en, ja = refused_to_start(serving(tmp_path, free_port), environment_of(tmp_path), code=5)
    assert "not a sound state database" in en
    assert "正常な Yui の状態データベースではありません" in ja
    assert (tmp_path / "state.db").read_bytes() == b"minutes of the council" * 1000
    assert not (tmp_path / "token").exists()


def test_a_folder_for_the_state_that_is_not_there(tmp_path: Path, free_port: str) -> None:
    arguments = serving(tmp_path / "absent", free_port)
    en, ja = refused_to_start(arguments, environment_of(tmp_path), code=5)
    assert str(tmp_path / "absent") in en
    assert str(tmp_path / "absent") in ja
    assert list(tmp_path.iterdir()) == []

"""`yui serve` where it cannot: it says why in one sentence, and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.conftest import refused_to_start, serving
from tests.cli.running import environment_of


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield str(other.getsockname()[1])


@pytest.mark.long
def test_a_port_in_use(tmp_path: Path, taken_port: str) -> None:
    en, ja = refused_to_start(serving(tmp_path, taken_port), environment_of(tmp_path), code=6)
    assert f"Port {taken_port} on 127.0.0.1 is in use" in en
    assert f"ポート {taken_port}" in ja
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_state_that_is_no_database(tmp_path: Path, free_port: str) -> None:
    (tmp_path / "state.db").write_bytes(b"minutes of the council" * 1000)
    en, ja = refused_to_start(serving(tmp_path, free_port), environment_of(tmp_path), code=5)
    assert "not a sound state database" in en
    assert "正常な Yui の状態データベースではありません" in ja
    assert (tmp_path / "state.db").read_bytes() == b"minutes of the council" * 1000
    assert not (tmp_path / "token").exists()


@pytest.mark.long
def test_a_folder_for_the_state_that_is_not_there(tmp_path: Path, free_port: str) -> None:
    arguments = serving(tmp_path / "absent", free_port)
    en, ja = refused_to_start(arguments, environment_of(tmp_path), code=5)
    assert str(tmp_path / "absent") in en
    assert str(tmp_path / "absent") in ja
    assert list(tmp_path.iterdir()) == []

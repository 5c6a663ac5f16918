"""What is wrong with the place of the state is said in one sentence, before anything is done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.store import Store
from tests.small_disk import fill, free, mounted_disk
from tests.store import samples
from tests.store.processes import opened, process


def refused(url: str) -> YuiError:
    with pytest.raises(YuiError) as refusal:
        Store.open(url).close()
    assert refusal.value.en.endswith(".")
    assert refusal.value.ja.endswith("。")
    return refusal.value


def hold(talk: Connection, url: str) -> None:
    with opened(url):
        talk.send(os.getpid())
        talk.recv()


def test_a_second_control_plane_on_one_file_is_told_who_has_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with process(hold, url) as first:
        assert first.hear() == first.pid
        refusal = refused(url)
        assert refusal.type == "state-in-use"
        assert f"{tmp_path}/state.db" in refusal.en
        assert f"process {first.pid}" in refusal.en
        assert f"プロセス {first.pid}" in refusal.ja
        first.kill()
    Store.open(url).close()


def test_one_process_cannot_open_one_file_twice_either(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with opened(url):
        assert refused(url).type == "state-in-use"
    Store.open(url).close()


def test_a_file_in_use_is_known_by_whatever_name_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "state.db")
    (tmp_path / "folder").symlink_to(tmp_path)
    with opened(f"sqlite:///{tmp_path}/state.db"):
        for name in ("link.db", "folder/state.db", "folder/link.db"):
            assert refused(f"sqlite:///{tmp_path}/{name}").type == "state-in-use"


def test_a_file_of_several_names_is_not_used_under_any(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/state.db").close()
    (tmp_path / "other.db").hardlink_to(tmp_path / "state.db")
    for name in ("state.db", "other.db"):
        refusal = refused(f"sqlite:///{tmp_path}/{name}")
        assert refusal.type == "state-several-names"
        assert f"{tmp_path}/{name}" in refusal.en
    (tmp_path / "other.db").unlink()
    Store.open(f"sqlite:///{tmp_path}/state.db").close()


def test_nobody_else_on_the_machine_can_read_the_state(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/state.db") as store:
        samples.furnish(store)
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == [
            "state.db",
            "state.db-shm",
            "state.db-wal",
            "state.db.lock",
        ]
        assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_a_failed_opening_lets_go_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"this is no database, whatever its name says" * 100)
    assert refused(f"sqlite:///{file}").type == "state-unreadable"
    file.unlink()
    Store.open(f"sqlite:///{file}").close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refusal = refused(f"sqlite:///{tmp_path}/nowhere/state.db")
    assert refusal.type == "state-folder-missing"
    assert f"{tmp_path}/nowhere" in refusal.en


@pytest.mark.parametrize(
    "url",
    [
        "",
        "state.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://yui:secret@host/yui",
        "postgresql+psycopg://yui:secret@host",
        "postgresql+psycopg2://yui:secret@host/yui",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_its_secrets(url: str) -> None:
    refusal = refused(url)
    assert refusal.type == "state-url-invalid"
    assert "secret" not in str(refusal) + refusal.ja + repr(refusal.fields)


def test_a_database_server_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path,
) -> None:
    refusal = refused(f"postgresql+psycopg://yui:secret@/yui?host={tmp_path}")
    assert refusal.type == "state-unreachable"
    assert str(tmp_path) in refusal.en
    assert "secret" not in str(refusal) + refusal.ja + repr(refusal.fields)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB that can be filled up and made read-only."""
    with mounted_disk(tmp_path / "disk") as disk:
        yield disk


def test_a_full_disk_is_said_to_be_full_and_keeps_what_it_has(small_disk: Path) -> None:
    with opened(f"sqlite:///{small_disk}/state.db") as store:
        samples.furnish(store)
        fill(small_disk)
        with pytest.raises(YuiError) as refusal:
            samples.attempt(store, *_many_servers())
        assert refusal.value.type == "state-disk-full"
        assert refusal.value.status == 507
        with store.read() as tx:
            assert tx.servers() == ()
            assert tx.tenants() == (samples.tenant(),)
        free(small_disk)
        samples.attempt(store, *_many_servers())


def test_a_full_disk_is_said_to_be_full_when_a_new_state_is_made(small_disk: Path) -> None:
    fill(small_disk)
    assert refused(f"sqlite:///{small_disk}/state.db").type == "state-disk-full"


def test_a_read_only_disk_is_said_to_be_read_only(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/state.db"
    Store.open(url).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert refused(url).type == "state-read-only"


def test_threads_that_write_one_file_go_one_after_the_other(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/state.db") as store:
        samples.furnish(store)

        def add(number: int) -> None:
            with store.write() as tx:
                address = tx.allocate_address(samples.SITE)
                tx.add_server(samples.server(number, address=address))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, range(60)))
        with store.read() as tx:
            assert len(tx.servers()) == 60
            assert tx.ledger(samples.KYOTO).hosts[samples.host_id(1)].generation == 2 + 60


def test_a_writer_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    with (
        opened(f"sqlite:///{tmp_path}/state.db", Seconds(0.05)) as store,
        store.write(),
        pytest.raises(YuiError) as refusal,
    ):
        samples.attempt(store)
    assert refusal.value.type == "state-busy"


def _many_servers() -> list[Callable[..., object]]:
    def add(number: int) -> Callable[..., object]:
        return lambda tx: tx.add_server(samples.server(number, name="x" * 2000))

    return [add(number) for number in range(100)]

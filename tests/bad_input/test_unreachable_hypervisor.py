"""A pool whose hypervisors do not answer: the API goes on, and operators are told which and why."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.bad_input.conftest import Plane, eventually, refused, refused_over_http
from tests.cli.served import DECLARED, POOL, served

pytest.importorskip("libvirt")


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, closed_port: int) -> Iterator[Plane]:
    """Nothing listens where the first host should be; the second has no connection described; the
    third takes connections and says nothing."""
    folder: Path = tmp_path_factory.mktemp("real")
    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as mute,
        served(folder, simulated=False) as running,
    ):
        uris = {
            "hokkaido-1": f"qemu+tcp://127.0.0.1:{closed_port}/system",
            "hokkaido-3": f"qemu+tcp://127.0.0.1:{mute.getsockname()[1]}/system",
        }
        text = POOL
        for host, uri in uris.items():
            connection = f"{{driver: libvirt, uri: '{uri}', allow_plaintext: true}}"
            text = text.replace(f"id: {host},", f"id: {host}, connection: {connection},")
        running.pool_file.write_text(text, encoding="utf-8")
        plane = Plane(running, folder / "state.db")
        applied = plane.yui("pool", "apply", str(running.pool_file))
        assert applied.returncode == 0, applied.stderr
        yield plane


def told(plane: Plane, host: str) -> list[dict[str, str]]:
    events = plane.data("events")
    return [e for e in events if (e["kind"], e["subject"]) == ("host.unreachable", f"host:{host}")]


@pytest.mark.long
def test_an_operator_reads_that_nothing_listens_where_a_host_should_be(
    plane: Plane, closed_port: int
) -> None:
    (event,) = eventually(lambda: told(plane, "hokkaido-1"))
    assert event["en"].startswith("Host hokkaido-1 is not used yet, because it does not answer: ")
    assert f"port {closed_port}: Connection refused" in event["en"]
    assert event["ja"].startswith("ホスト hokkaido-1 はまだ使用できません。")
    assert event["en"] in plane.yui("events").stdout
    assert event["ja"] in plane.yui("events", LANG="ja_JP.UTF-8").stdout


def test_an_operator_reads_that_a_host_has_no_connection_described(plane: Plane) -> None:
    (event,) = eventually(lambda: told(plane, "hokkaido-2"))
    assert "names the driver 'simulated'" in event["en"]


def test_an_operator_reads_that_a_host_takes_connections_and_says_nothing(plane: Plane) -> None:
    (event,) = eventually(lambda: told(plane, "hokkaido-3"))
    assert "said nothing" in event["en"]


def test_whoever_describes_hosts_and_waits_is_told_which_do_not_answer_and_why(
    plane: Plane, closed_port: int
) -> None:
    described = ("pool", "apply", str(plane.served.pool_file), "--wait")
    english, japanese = plane.yui(*described), plane.yui(*described, LANG="ja_JP.UTF-8")
    assert (english.returncode, japanese.returncode) == (5, 5)
    assert f"port {closed_port}: Connection refused" in english.stderr
    for host in ("hokkaido-1", "hokkaido-2", "hokkaido-3"):
        assert english.stderr.count(f"Host {host} is not used yet") == 1
        assert japanese.stderr.count(f"ホスト {host} はまだ使用できません") == 1


@pytest.mark.long
def test_hosts_that_do_not_answer_carry_nothing_and_the_api_goes_on(plane: Plane) -> None:
    for host in ("hokkaido-1", "hokkaido-2", "hokkaido-3"):
        eventually(partial(told, plane, host))
    assert {host["health"] for host in plane.data("host", "list")} == {"cleaning"}
    refusal = plane.yui("explain", "m1.small", "--region", "hokkaido")
    assert refusal.returncode == 1
    assert "does not fit" in refusal.stdout
    described = ("--name", "tiny", "--version", "1", "--provenance", "made for a test", *DECLARED)
    assert plane.yui("image", "add", "tiny.raw", *described).returncode == 0
    join = ("member", "join", "012220", "-b", "facility-booking")
    said = refused(plane, *join, code=1, type="no-room")
    assert "hokkaido" in said.en
    body = {"code": "012220", "blueprints": ["facility-booking"]}
    refused_over_http(plane, "POST", "/v1/members", body, status=409, type="no-room")

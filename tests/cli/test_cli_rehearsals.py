"""`--dry-run` on a server says what would be, in both languages, and names no operation."""

from __future__ import annotations

import json
import time

import pytest

from tests.cli.served import DECLARED, Served, served


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory):
    with served(tmp_path_factory.mktemp("rehearsals")) as running:
        yield running


@pytest.fixture(scope="module")
def server(plane: Served) -> dict[str, str]:
    assert plane.yui("pool", "apply", str(plane.pool_file)).returncode == 0
    image = ("--name", "tiny", "--version", "1", "--provenance", "a test", *DECLARED)
    assert plane.yui("image", "add", "tiny.raw", *image).returncode == 0
    end = time.monotonic() + 60
    while plane.yui("member", "join", "012220", "-b", "facility-booking", "--wait").returncode:
        assert time.monotonic() < end, "no host was ever clean"
        time.sleep(0.5)
    (found,) = json.loads(plane.yui("server", "list", "--json").stdout)
    return found


@pytest.mark.parametrize(
    ("language", "verb", "sentence"),
    [
        ("en", "stop", "running → stopped"),
        ("ja", "stop", "running → stopped"),
        ("en", "start", "Nothing would change."),
        ("ja", "start", "変更はありません"),
        ("en", "migrate", " → hokkaido-"),
        ("ja", "migrate", "証明書: 有効"),
    ],
)
def test_a_dry_run_says_what_would_be(
    plane: Served, server: dict[str, str], language: str, verb: str, sentence: str
) -> None:
    ended = plane.yui("--lang", language, "server", verb, server["id"], "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert sentence in ended.stdout
    (after,) = json.loads(plane.yui("server", "list", "--json").stdout)
    assert after["generation"] == server["generation"]


def test_a_program_gets_a_plan_and_no_operation(plane: Served, server: dict[str, str]) -> None:
    ended = plane.yui("server", "stop", server["id"], "--dry-run", "--json")
    plan = json.loads(ended.stdout)
    assert (plan["dry_run"], plan["diff"][0]["to"]) == (True, "stopped")
    assert "op-" not in ended.stdout

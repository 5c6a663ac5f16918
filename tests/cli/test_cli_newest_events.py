"""`yui events` in a pool in which much has happened."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime

import pytest

from control_plane.model.operation import Event, Severity
from control_plane.store import Store
from tests.cli.served import Served, served
from tests.plain_http import ask

HAPPENED = 2345
EVERYTHING = [*(f"test.{number}" for number in range(HAPPENED)), "audit.signed"]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("busy")
    store = Store.open(f"sqlite:///{folder / 'state.db'}")
    with store.write() as tx:
        for number in range(HAPPENED):
            at = datetime(2026, 4, 1, tzinfo=UTC)
            tx.add_event(Event(f"test.{number}", "pool", at, Severity.INFO, "It.", "それ。"))
    store.close()
    with served(folder) as running:
        # The last to happen: the trail is signed once the control plane has started.
        for _ in range(600):
            if kinds(running, "--limit", "1") == [EVERYTHING[-1]]:
                break
            time.sleep(0.1)
        yield running


def kinds(plane: Served, *arguments: str) -> list[str]:
    return [e["kind"] for e in json.loads(plane.yui("events", "--json", *arguments).stdout)]


def asked(plane: Served) -> int:
    """How many times the API was asked for events."""
    token = plane.token_file.read_text().strip()
    said = ask(
        "GET", f"{plane.url}/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ).text
    lines = [
        line for line in said.splitlines() if 'route="/v1/events"' in line and "_total" in line
    ]
    return sum(int(float(re.split(r"\s", line)[-1])) for line in lines)


@pytest.mark.parametrize("limit", [1, 50, 1000, 1001, 2300])
def test_the_newest_are_shown_and_nothing_else_is_asked_for(plane: Served, limit: int) -> None:
    before = asked(plane)
    shown = kinds(plane, "--limit", str(limit))
    assert shown == EVERYTHING[-limit:]
    assert asked(plane) - before == -(-limit // 1000)


def test_who_wants_more_than_there_is_gets_all(plane: Served) -> None:
    assert kinds(plane, "--limit", "100000") == EVERYTHING


def test_what_lies_behind_a_number_is_all_that_is_shown(plane: Served) -> None:
    assert kinds(plane, "--after", str(HAPPENED - 3)) == EVERYTHING[-4:]


def test_following_begins_with_the_newest(plane: Served) -> None:
    last = EVERYTHING[-1]
    _, out, _ = plane.interrupted("events", "--follow", "--json", "--limit", "2", when=last)
    assert [json.loads(line)["kind"] for line in out.splitlines()] == EVERYTHING[-2:]

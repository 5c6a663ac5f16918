"""What a blueprint says its servers answer is asked of them before a restore counts as proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backup.records.estate import Blueprints
from backup.restore import Proving
from control_plane.drivers.protocol import ProbeImpossible
from control_plane.drivers.simulated.programs import Website
from control_plane.model.backup.work import RestoreTest
from control_plane.model.blueprint import Blueprint, BlueprintServer
from control_plane.model.health import HttpCheck, Miss, judged
from control_plane.model.ids import BlueprintId, ImageId
from control_plane.model.pool import Zone
from control_plane.model.units import Seconds
from tests.backup.keeper.test_copies_and_damage import HERE_AND_THERE
from tests.backup.restore.restoring import BRISKLY, HOUR, Restoring
from tests.backup.restore.test_proving import point_of

CHECK = HttpCheck("/health", contains="residents")
WELL = Website(pages=(("/health", b'{"residents": 4012}'),))


class WithHealth(Blueprints):
    """The database is asked, the other one has no check."""

    def blueprint(self, blueprint_id: BlueprintId, version: int | None = None) -> Blueprint:
        database = BlueprintServer("db", ImageId("tiny"), 0, {}, health=CHECK)
        application = BlueprintServer("app", ImageId("tiny"), 1, {})
        servers = (database, application)
        return Blueprint(
            blueprint_id, version or 1, "住民記録", "Residents", 0, Zone.LGWAN, servers
        )


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Restoring]:
    stand = Restoring(tmp_path)
    stand.set_policy(replace(HERE_AND_THERE, test_every_days=30))
    timings = replace(BRISKLY, tidy_every=Seconds(5))
    stand.proving = Proving(stand.store, stand.process, WithHealth(), timings, patience=Seconds(30))
    stand.until_copied(HOUR)
    yield stand
    stand.close()


def verdict(stand: Restoring) -> RestoreTest:
    with stand.store.read() as tx:
        (test,) = tx.restore_tests()
    return test


def test_a_proof_tells_how_each_server_was_asked_and_how_soon_it_answered(stand: Restoring) -> None:
    stand.world.website = WELL
    stand.prove(50)
    test = verdict(stand)
    assert test.passed
    assert point_of(stand).proven_at is not None
    asked = {each.server.rpartition("-")[0]: each for each in test.servers}
    assert {name: each.by for name, each in asked.items()} == {
        "residents-db": "http",
        "residents-app": "console",
    }
    assert all(0 < (each.seconds or 0) <= test.seconds for each in asked.values())


def test_a_server_that_comes_up_and_does_not_answer_as_it_should_proves_nothing(
    stand: Restoring,
) -> None:
    stand.world.website = Website(pages=(("/health", b"{}"),))
    stand.prove(70)
    test = verdict(stand)
    assert not test.passed
    assert point_of(stand).proven_at is None
    (event,) = stand.events("restore-test.failed")
    assert "GET :80/health answered 2 bytes without “residents”" in event.en
    assert [each.by for each in test.servers if each.finding is not None] == ["http"]


def test_what_was_seen_is_told_and_what_was_answered_is_not() -> None:
    said = [
        judged(CHECK, 503, b"Tanaka, born 1970", None),
        judged(CHECK, None, b"", Miss.CLOSED),
        judged(CHECK, 200, b"Tanaka, born 1970", None),
    ]
    assert [found.en for found in said if found] == [
        "GET :80/health answered with status 503 instead of 200",
        "GET :80/health: the port was closed",
        "GET :80/health answered 17 bytes without “residents” in them",
    ]
    assert not any("Tanaka" in found.en + found.ja for found in said if found)
    assert judged(CHECK, 200, b"4012 residents", None) is None


def test_where_a_host_can_not_ask_the_console_is_looked_at(stand: Restoring) -> None:
    stand.world.fail_calls("probe", times=1000, error=ProbeImpossible("Too old."))
    stand.prove(50)
    test = verdict(stand)
    assert test.passed
    assert {each.by for each in test.servers} == {"console"}

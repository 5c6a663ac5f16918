"""Whoever restores knows when it happened, not what the recovery point of that night is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from control_plane.model.ids import SystemId
from tests.api.backups import add_places, point_of
from tests.api.conftest import MIKASA, Prepared, prepared
from tests.cli.running import Ended
from tests.cli.served import Served, served

__all__ = ["prepared"]

SYSTEM = f"m{MIKASA}-resident-records"
TAKEN = {
    "rp-before": "2026-03-10T23:30+09:00",
    "rp-that-night": "2026-03-11T01:30+09:00",
    "rp-after": "2026-03-11T23:30+09:00",
}


@pytest.fixture(scope="module")
def plane(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("back")
    with prepared.copied(folder) as api:
        api.join(MIKASA)
        with api.store.write() as tx:
            add_places(tx)
            for id, taken in TAKEN.items():
                point_of(tx, tx.system(SystemId(SYSTEM)), id, datetime.fromisoformat(taken))
        operator = api.operator_token
    with served(folder, state=folder / "state.db") as running:
        running.token_file.write_text(operator)
        running.token_file.chmod(0o600)
        yield running


def asked(plane: Served, when: str, *more: str) -> Ended:
    return plane.yui("backup", "restore", SYSTEM, "--at", when, "--to", "new", *more)


def restores(plane: Served) -> dict[str, str]:
    """The point of each."""
    shown = json.loads(plane.yui("backup", "restores", "--json").stdout)
    return {one["id"]: one["point"] for one in shown}


@pytest.mark.long
@pytest.mark.parametrize(
    ("when", "point"),
    [
        ("2026-03-11T14:46", "rp-that-night"),
        ("2026-03-11T01:30", "rp-that-night"),
        ("2026-03-11T01:29", "rp-before"),
        ("2026-03-10", "rp-before"),
        ("2026-03-11", "rp-after"),
        ("2026-03-31", "rp-after"),
    ],
)
def test_a_time_means_the_newest_point_up_to_then(plane: Served, when: str, point: str) -> None:
    ended = asked(plane, when, "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert f"{point}, taken " in ended.stderr
    before = restores(plane)
    begun = asked(plane, when, "--json", "--name", "again")
    assert begun.returncode == 0, begun.stderr
    (made,) = restores(plane).keys() - before.keys()
    assert restores(plane)[made] == point


def test_a_time_before_all_points_is_refused_with_the_oldest(plane: Served) -> None:
    ended = asked(plane, "2026-03-09")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "no complete recovery point from 2026-03-09 or before: its oldest is of" in ended.stderr
    said = plane.yui("--lang", "ja", "backup", "restore", SYSTEM, "--at", "x", "--to", "new").stderr
    assert "「x」は日時として読めません" in said

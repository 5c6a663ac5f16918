"""Whoever looks at the backups' table sees of each system when a restore of it was last proven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from backup.records.restores import record_test
from control_plane.model.backup.ids import RestoreTestId
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.model.backup.work import RestoreTest, Trouble
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from tests.api.backups import AFAR, HILL, add_places, point_of
from tests.api.conftest import MIKASA, NOW, UJI, Prepared, prepared
from tests.cli.served import Served, served

__all__ = ["prepared"]

WHY = Trouble("The store is full.", "空き容量がありません。")
PROVEN = NOW - timedelta(hours=2, minutes=30)


@pytest.fixture(scope="module")
def plane(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("proven")
    with prepared.copied(folder) as api:
        api.join(MIKASA)
        api.join(UJI)
        with api.store.write() as tx:
            add_places(tx)
            for member in (MIKASA, UJI):
                system = tx.system(SystemId(f"m{member}-resident-records"))
                point = point_of(tx, system, f"rp-{member}")
                if member == MIKASA:
                    times = PROVEN - timedelta(minutes=5), PROVEN
                    ids = RestoreTestId("rt-1"), system.tenant, system.id, point.id
                    record_test(tx, RestoreTest(*ids, AFAR, *times, None))
            of = AFAR, MunicipalityCode(MIKASA), UpkeepWork.COLLECTING
            tx.put_upkeep(Upkeep(*of).done(PROVEN).failed(NOW, WHY))
        operator = api.operator_token
    with served(folder, state=folder / "state.db") as running:
        running.token_file.write_text(operator)
        running.token_file.chmod(0o600)
        yield running


@pytest.mark.long
def test_the_table_says_when_a_restore_was_proven_and_a_dash_where_none_was(plane: Served) -> None:
    here = PROVEN.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    for language, heading in (("en", "proven"), ("ja", "復元確認")):
        shown = plane.yui("--lang", language, "backup", "status").stdout
        assert heading in shown.lower()
        rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line}
        newest, _, _, at_member, *proven = rows[f"m{MIKASA}-resident-records"]
        assert (at_member, " ".join(proven[:2])) == ("-", here), newest
        assert rows[f"m{UJI}-resident-records"][3:5] == ["-", "-"]


@pytest.mark.long
def test_a_repository_shows_what_is_not_done_in_it_for_whom_and_why(plane: Served) -> None:
    for language, why, state in (("en", WHY.en, "degraded"), ("ja", WHY.ja, "一部停止")):
        shown = plane.yui("--lang", language, "repository", "show", AFAR).stdout
        (row,) = [line for line in shown.splitlines() if line.startswith(MIKASA)]
        assert why in row
        assert state in shown
        listed = plane.yui("--lang", language, "repository", "list").stdout
        states = {line.split()[0]: line for line in listed.splitlines() if line}
        assert state in states[AFAR]
        assert state not in states[HILL]
    told = json.loads(plane.yui("--json", "repository", "show", AFAR).stdout)
    assert [each["work"] for each in told["upkeep"]] == ["collecting"]

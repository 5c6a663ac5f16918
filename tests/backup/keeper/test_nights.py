"""Night after night points are taken, kept and let go as the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from control_plane.model.hours import JAPAN
from tests.backup.keeper.stand import Stand

DAY = timedelta(days=1)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


def test_each_night_has_one_point_of_all_servers(stand: Stand) -> None:
    stand.keep(2 * DAY)
    taken = [point.taken_at.astimezone(JAPAN) for point in stand.points()]
    # The first at once, since there was none, and one at half past eleven of each evening.
    assert [f"{at:%d %H:%M}" for at in taken] == ["01 09:00", "01 23:30", "02 23:30"]
    assert all(
        {each.server for each in point.servers} == set(stand.servers()) for point in stand.points()
    )

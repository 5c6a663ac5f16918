"""Night after night points are taken, kept and let go as the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from control_plane.model.backup.points import Gone
from control_plane.model.hours import JAPAN
from tests.backup.keeper.stand import FAR, NIGHTLY, SLOWLY, Stand

DAY = timedelta(days=1)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


@pytest.mark.long
def test_each_night_has_one_point_of_all_servers_and_the_last_three_stay(stand: Stand) -> None:
    stand.keep(2 * DAY, SLOWLY)
    taken = [point.taken_at.astimezone(JAPAN) for point in stand.points()]
    # The first at once, since there was none, and one of each evening.
    assert [f"{at:%d %H:%M}" for at in taken] == ["01 09:00", "02 01:00", "03 01:00"]
    assert all(
        {each.server for each in point.servers} == set(stand.servers()) for point in stand.points()
    )
    stand.keep(3 * DAY, SLOWLY)
    points = stand.points()
    assert [f"{point.taken_at.astimezone(JAPAN):%d}" for point in points] == ["04", "05", "06"]
    assert stand.insist_on_bytes(points) == 6
    # What was let go before is gone from the repository, too.
    with stand.vault() as vault:
        assert min(facts.taken_at for facts in vault.points()) > points[0].taken_at - 2 * DAY


@pytest.mark.long
def test_what_is_let_go_stays_where_a_lock_holds_it_and_goes_when_that_ends(stand: Stand) -> None:
    (nightly,) = NIGHTLY.copies
    stand.set_policy(replace(NIGHTLY, copies=(replace(nightly, generations=1),)))
    with stand.store.write() as tx:
        tx.save_repository(replace(tx.repository(FAR), lock_days=3))
    stand.keep(3 * DAY, SLOWLY)
    # One stays by the policy; of the others nothing can be removed yet.
    assert len(stand.points()) == 1
    assert stand.manifests() == 2 * 4
    stand.keep(2 * DAY, SLOWLY)
    assert len(stand.points()) == 1
    with stand.store.read() as tx:
        gone = [p for p in tx.recovery_points() if isinstance(p.copies[0].standing, Gone)]
    assert gone
    assert stand.manifests() == 2 * (6 - len(gone))
    assert stand.insist_on_bytes(stand.points()) == 2

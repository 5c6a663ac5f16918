"""Night after night goes on, whatever else lies in the repository; and it is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from control_plane.model.backup.scrubbing import Healed
from control_plane.model.operation import Severity
from tests.backup.keeper.stand import SLOWLY, Stand
from tests.backup.repository.strays import STRAYS, plant
from tests.scenarios.joining import MEMBER

DAY = timedelta(days=1)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


@pytest.mark.long
def test_what_somebody_else_put_there_is_told_and_stops_no_night(stand: Stand) -> None:
    stand.keep(timedelta(hours=4), SLOWLY)
    bucket, tenant = stand.bucket, str(MEMBER.code)
    with stand.vault() as vault:
        pack = vault.point(stand.points()[0].servers[0].point).packs[0]
    keys = {
        plant(
            name,
            lambda key, data: bucket.store(key, data, only_new=False, until=None),
            tenant=tenant,
            pack=pack,
        )[0]
        for name in STRAYS
    }
    taken = len(stand.points())
    with structlog.testing.capture_logs() as told:
        stand.keep(3 * DAY, SLOWLY)
    assert len(stand.events("backup.taken")) >= taken + 3
    assert len([each for each in told if each["event"] == "collected"]) >= 3
    assert stand.insist_on_bytes(stand.points()) == 2 * len(stand.points())
    with stand.store.read() as tx:
        found = tx.scrub_findings()
    # Marks of packs are taken away, and an index is made anew, before anybody has to.
    left = keys.intersection(bucket.keys())
    assert {each.key for each in found} <= keys
    assert {each.key for each in found} >= left
    assert len(left) > 20
    assert not any(each.points for each in found)
    events = stand.events("backup.stray-found")
    assert {each.severity for each in events} == {Severity.WARNING}
    assert all(any(key in each.en and key in each.ja for each in events) for key in left)
    assert not stand.events("backup.damage-lost")
    for key in left:
        bucket.remove(key)
    stand.keep(DAY, SLOWLY)
    with stand.store.read() as tx:
        assert all(isinstance(each.standing, Healed) for each in tx.scrub_findings())
    assert not stand.events("backup.damage-lost")

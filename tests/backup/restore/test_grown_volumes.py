"""A volume that has grown is whole in the next point, and never smaller for what is put back on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from control_plane.drivers.simulated.backups import content_of
from control_plane.drivers.simulated.disk_content import BLOCK, DiskContent
from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.backup.work import Restored
from control_plane.model.units import GiB
from control_plane.model.volume import Volume
from control_plane.model.workload import Power, Seen
from tenants.asking import Asker
from tenants.volumes.growing import grow
from tests.backup.keeper.stand import MEMBER
from tests.backup.restore.restoring import (
    DB,
    HOUR,
    IN_PLACE,
    LEDGER,
    Restoring,
    asleep,
    same,
)

NUMBERS_A_GIB = 2**30 // BLOCK
OLD_PLACE, NEW_PLACE = NUMBERS_A_GIB * 7 // 8, NUMBERS_A_GIB * 2 - 1
"""On the disk of 1 GiB that it was, and at the end of the one of 2 GiB that it becomes."""


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Restoring]:
    stand = Restoring(tmp_path)
    yield stand
    stand.close()


def ledger(stand: Restoring) -> Volume:
    with stand.store.read() as tx:
        return tx.volume(LEDGER)


def ask(stand: Restoring, size: int) -> None:
    who = Principal("user-1", "Sato", Role.MEMBER_ADMIN, MEMBER.code)
    asker = Asker(who, stand.world.clock.now())
    grow(stand.store, LEDGER, GiB(size), asker, lambda _, __: None)


def write(stand: Restoring, number: int, text: str) -> None:
    found = stand.world.data_volume(LEDGER)
    assert found is not None
    found.blocks[number] = text.encode().ljust(BLOCK, b"\0")


def begins_with(disk: DiskContent, was: DiskContent) -> bool:
    """It has the bytes of the smaller one, and zeros behind them."""
    told = [extent for extent in disk.extents() if extent.data]
    return all(extent.end <= was.size for extent in told) and all(
        disk.read(at, BLOCK) == was.read(at, BLOCK)
        for content in (disk, was)
        for extent in content.extents()
        if extent.data
        for at in range(extent.offset, extent.end, BLOCK)
    )


def test_the_next_point_holds_the_larger_disk_and_an_older_one_goes_back_onto_it(
    stand: Restoring,
) -> None:
    write(stand, OLD_PLACE, "written before")
    first = stand.until_copied(HOUR)
    ask(stand, 2)
    stand.until(lambda: not ledger(stand).growing)
    write(stand, NEW_PLACE, "written behind the old end")
    stand.keep(timedelta(days=2))
    points = stand.points()
    assert len(points) == 2 + 1
    stand.insist_on_bytes(points)
    second = points[1]
    assert stand.as_frozen(second, DB)["ledger"].size == 2 * 2**30

    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    id = stand.want(first, asleep(IN_PLACE))
    assert isinstance(stand.until_ended(id).standing, Restored)
    found = stand.on_disk(DB)["ledger"]
    assert (found.size, ledger(stand).size) == (2 * 2**30, 2)
    assert begins_with(found, stand.as_frozen(first, DB)["ledger"])

    again = stand.want(second, asleep(IN_PLACE))
    assert isinstance(stand.until_ended(again).standing, Restored)
    assert same(stand.on_disk(DB), stand.as_frozen(second, DB))


def test_one_that_is_to_grow_while_its_disk_is_put_back_is_as_large_in_the_end(
    stand: Restoring,
) -> None:
    point = stand.until_copied(HOUR)
    was = stand.as_frozen(point, DB)["ledger"]
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    asked = 0

    def while_it_is_filled(call: str) -> None:
        nonlocal asked
        if call == "fill_disk" and not asked:
            asked = 3
            ask(stand, asked)
            for _ in range(3):
                stand.controller.tick()
            # The disk that is about to be replaced has grown already.
            assert not ledger(stand).growing

    stand.process.gate.before_call = while_it_is_filled
    id = stand.want(point, asleep(IN_PLACE))
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert ledger(stand).build > 0
    stand.until(lambda: not ledger(stand).growing)
    found = stand.world.data_volume(LEDGER)
    assert found is not None
    assert (asked, content_of(found).size) == (3, 3 * 2**30)
    stand.set_all_power(Power.RUNNING, Seen.RUNNING)
    assert stand.world.around.monitor.violations == []
    assert was.notes == tuple(found.notes)

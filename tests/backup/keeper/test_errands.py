"""What a keeper has under way, and for whom it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from backup.keeper.errands import Errands
from backup.keeper.timings import Timings
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.world import Lane
from control_plane.model.units import Seconds
from control_plane.store import Lease

EARLIER = Lease("backups", "a", 1, datetime(2026, 4, 1, tzinfo=UTC))
NOW = replace(EARLIER, token=3)
"""Another one held it in between, and saw to what was left."""


def test_what_broke_under_an_earlier_lease_neither_counts_nor_makes_anything_wait() -> None:
    world = SimulatedWorld(storage=[])
    errands: Errands[str, None] = Errands(world, Timings(), Lane.BACKUP)

    def break_off() -> None:
        world.clock.sleep(Seconds(10))
        raise OSError("the line broke")

    errands.begin("residents", "tonight", break_off, EARLIER)
    assert not errands.may_begin("residents")
    assert errands.settle(NOW) == []
    world.clock.sleep(Seconds(11))
    assert errands.settle(NOW) == []
    assert errands.may_begin("residents")
    errands.begin("residents", "tonight", break_off, NOW)
    world.clock.sleep(Seconds(11))
    (ended,) = errands.settle(NOW)
    assert str(ended.error) == "the line broke"

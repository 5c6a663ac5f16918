"""Several disks of a restore are filled at once, and all of them end when one can't be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backup.restore.progress import GivenUp, Progress
from backup.restore.side_by_side import AT_ONCE, side_by_side
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.backup.work import Restored
from control_plane.model.units import Seconds
from control_plane.model.workload import Power, Seen
from tests.backup.keeper.test_copies_and_damage import HOUR
from tests.backup.restore.restoring import IN_PLACE, Restoring, asleep, same


@dataclass
class Flag(Progress):
    """Nothing but whether it was given up."""

    given_up: bool = field(default=False)

    def __post_init__(self) -> None:
        """There is no record."""

    def give_up(self) -> None:
        self.given_up = True


def test_as_many_as_may_be_are_at_work_and_the_first_failure_ends_all() -> None:
    world = SimulatedWorld()
    progress = Flag(None, world.clock, None, None, None)  # type: ignore[arg-type]
    at_work, most = 0, 0

    def fill(number: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        for _ in range(10):
            world.clock.sleep(Seconds(1))
            if progress.given_up:
                at_work -= 1
                raise GivenUp
            if number == 5:
                at_work -= 1
                raise OSError("the disk of number 5")
        at_work -= 1
        return number

    tasks = [lambda n=n: fill(n) for n in range(5)]
    assert side_by_side(world, progress, tasks) == [0, 1, 2, 3, 4]
    assert most == AT_ONCE
    begun = world.clock.monotonic()
    with pytest.raises(OSError, match="number 5"):
        side_by_side(world, progress, [lambda n=n: fill(n) for n in (5, 6, 7, 8)])
    assert at_work == 0
    assert world.clock.monotonic() - begun < 5


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Restoring]:
    stand = Restoring(tmp_path)
    yield stand
    stand.close()


def test_a_fill_that_fails_among_others_is_tried_again_and_every_disk_is_as_it_was(
    stand: Restoring,
) -> None:
    point = stand.until_copied(HOUR)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    stand.world.fail_calls("fill_disk", times=1)
    job = stand.until_ended(stand.want(point, asleep(IN_PLACE)))
    assert isinstance(job.standing, Restored)
    for each in point.servers:
        assert same(stand.on_disk(each.server), stand.as_frozen(point, each.server))

"""A store's clock that is set does not move what ends by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backup.objects.steady_clock import SteadyClock
from control_plane.model.units import Seconds

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


class Surroundings:
    def __init__(self) -> None:
        self.store = NOON
        self.here = Seconds(1000.0)
        self.clock = SteadyClock(lambda: self.store, lambda: self.here)

    def pass_time(self, seconds: float) -> None:
        self.store += timedelta(seconds=seconds)
        self.here = Seconds(self.here + seconds)


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(hours=-2)], ids=str)
def test_a_jump_is_not_followed(jump: timedelta) -> None:
    around = Surroundings()
    assert around.clock.now() == NOON
    around.store += jump
    around.pass_time(600)
    assert around.clock.now() == NOON + timedelta(seconds=600)
    around.store -= jump
    around.pass_time(600)
    assert around.clock.now() == NOON + timedelta(seconds=1200)


def test_a_clock_that_is_a_little_fast_is_followed_for_years() -> None:
    around = Surroundings()
    for _ in range(1000):
        around.clock.now()
        around.pass_time(3600)
        around.store += timedelta(seconds=20)
    assert around.clock.now() == around.store

"""Keeps a copy from sending more than its policy allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from control_plane.drivers.world import Clock
from control_plane.model.units import Seconds

_BIT_PER_MBIT = 10**6
_LONGEST = Seconds(1.0)
"""At a time, so that whoever is no longer wanted hears of it."""


@dataclass(slots=True)
class Pace:
    """`most_mbit_per_s` None: as fast as it goes. `sent` tells how many bytes have been sent so far, by
    whatever thread."""

    clock: Clock
    most_mbit_per_s: int | None
    sent: Callable[[], int]
    _began: Seconds = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock.monotonic()

    def keep(self, meanwhile: Callable[[], None]) -> None:
        """Wait until what was sent so far could have been sent at that pace."""
        if self.most_mbit_per_s is None:
            return
        per_second = self.most_mbit_per_s * _BIT_PER_MBIT / 8
        while (early := self._began + self.sent() / per_second - self.clock.monotonic()) > 0:
            self.clock.sleep(Seconds(min(early, _LONGEST)))
            meanwhile()

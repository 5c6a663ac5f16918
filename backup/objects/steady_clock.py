"""A store's clock, as far as it can be believed.

What ends by a store's clock, retention above all, must not end because somebody set that clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from control_plane.model.units import Seconds

_DRIFT = timedelta(seconds=60)
"""Between two looks; clocks that are set right bit by bit, and slow answers, stay far below."""


class SteadyClock:
    """Follows what `look` reads of the store's clock, unless that jumped since the last look: then time
    goes on from before the jump, by `monotonic`. Safe for several threads."""

    def __init__(self, look: Callable[[], datetime], monotonic: Callable[[], Seconds]) -> None:
        self._look = look
        self._monotonic = monotonic
        self._mutex = threading.Lock()
        self._last: tuple[datetime, Seconds] | None = None

    def now(self) -> datetime:
        """Raises what `look` raises."""
        return self.told(self._look())

    def told(self, seen: datetime) -> datetime:
        """The time now, of which the store just said that it is `seen`."""
        at = self._monotonic()
        with self._mutex:
            if self._last is not None:
                since, then = self._last
                expected = since + timedelta(seconds=at - then)
                if abs(seen - expected) > _DRIFT:
                    return expected
            self._last = (seen, at)
            return seen

"""The machine's own time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from control_plane.model.units import Seconds


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> Seconds:
        """Stands still while this machine is suspended, which makes every wait longer, never
        shorter."""
        return Seconds(time.monotonic())

    def sleep(self, duration: Seconds) -> None:
        time.sleep(max(0.0, duration))

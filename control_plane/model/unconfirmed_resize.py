"""A resize that its member may still take back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from control_plane.model.ids import FlavorId
from control_plane.model.workload import Server

TIME_TO_DECIDE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class UnconfirmedResize:
    """`flavor` is the one from before. Once `until` has come the new one stays without a word."""

    flavor: FlavorId
    until: datetime

    def waits(self, server: Server, now: datetime) -> bool:
        """Whether the server has its new size, and its member's word on it is still asked for."""
        return now < self.until and server.flavor != self.flavor

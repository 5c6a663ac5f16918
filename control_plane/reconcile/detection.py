"""Decides from what the channels hear whether a host is well; it never acts on one channel alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.drivers.world import Sign
from control_plane.model.host_health import Confirmed, HostHealth, Suspect, Up
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from control_plane.reconcile.timings import Timings


@dataclass(frozen=True, slots=True)
class Hearing:
    """What every channel heard of every host, and when listening began. `reached` names the channel
    over which drivers talk to hosts."""

    began: datetime
    reached: str
    signs: Mapping[HostId, Mapping[str, Sign]]

    def of(self, host: HostId) -> Mapping[str, Sign]:
        return self.signs.get(host, {})

    def answers(self, host: HostId) -> bool:
        return self.of(host).get(self.reached) is Sign.ALIVE


@dataclass(slots=True)
class Silences:
    """Since when each channel has been silent about each host, by this process's monotonic clock.

    Kept in memory alone: a control plane that has just started has heard no silence yet and waits
    the full time again, which is slower and safe.
    """

    _since: dict[tuple[HostId, str], Seconds] = field(default_factory=dict)
    _looked: dict[HostId, Seconds] = field(default_factory=dict)

    def hear(
        self, host: HostId, signs: Mapping[str, Sign], now: Seconds, gap: Seconds
    ) -> dict[str, Seconds]:
        """Take in what was heard; returns for each silent channel how long it has been silent. A
        silence does not last across a `gap` in which nobody listened."""
        if now - self._looked.get(host, now) > gap:
            for key in [key for key in self._since if key[0] == host]:
                del self._since[key]
        self._looked[host] = now
        lasting: dict[str, Seconds] = {}
        for channel, sign in signs.items():
            if sign is Sign.SILENT:
                since = self._since.setdefault((host, channel), now)
                lasting[channel] = Seconds(now - since)
            else:
                self._since.pop((host, channel), None)
        return lasting


def judge(
    health: HostHealth,
    signs: Mapping[str, Sign],
    silent_for: Mapping[str, Seconds],
    timings: Timings,
    at: datetime,
) -> HostHealth:
    """The host's health after one look. Fenced and Cleaning hosts are left to other hands."""
    match health:
        case Up():
            for channel, lasting in silent_for.items():
                if lasting >= timings.suspect_after:
                    return health.suspect(at, channel)
        case Suspect(channel=first):
            if signs.get(first) is Sign.ALIVE:
                return health.answered(at)
            if silent_for.get(first, 0.0) >= timings.suspect_after:
                for channel, lasting in silent_for.items():
                    if channel != first and lasting >= timings.confirm_after:
                        return health.confirm(at, channel)
        case Confirmed(channels=channels):
            heard = [c for c in channels if signs.get(c) is Sign.ALIVE]
            if len(heard) == len(channels):
                return health.answered(at)
            if heard:
                return health.doubted(at, next(c for c in channels if c not in heard))
        case _:
            pass
    return health

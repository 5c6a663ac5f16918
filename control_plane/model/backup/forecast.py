"""When a copy will have arrived, from its bytes, the link's budget by the hour, and what else is on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_plane.model.backup.sharing import Link, Stream, share
from control_plane.model.hours import JAPAN

LONGEST = timedelta(days=366)
"""What takes longer is not foretold: something will have changed by then."""

_BIT_PER_MBIT = 10**6


@dataclass(frozen=True, slots=True)
class Forecast:
    """`arrives_at` None: not within a year, or never."""

    bytes: int
    begins_at: datetime
    arrives_at: datetime | None

    @property
    def hours(self) -> float | None:
        if self.arrives_at is None:
            return None
        return (self.arrives_at - self.begins_at).total_seconds() / 3600

    def sentences(self, where: str, where_ja: str) -> tuple[str, str]:
        """As in "Kagoshima's 2.0 TB first copy takes 41 h"."""
        size = size_text(self.bytes)
        if self.hours is None:
            return (
                f"{where}'s {size} first copy would not arrive within a year: the link has too little for backups.",
                f"{where_ja}への最初のコピー({size})は1年以内に終わりません。回線の割り当てが足りません。",
            )
        took = f"{self.hours:.0f}" if self.hours >= 10 else f"{self.hours:.1f}"
        return (
            f"{where}'s {size} first copy takes {took} h.",
            f"{where_ja}への最初のコピー({size})には {took} 時間かかります。",
        )


def bytes_per_second(link: Link, at: datetime) -> int:
    other = link.other_hours is not None and link.other_hours.hold(at)
    return (link.other_mbit_per_s if other else link.mbit_per_s) * _BIT_PER_MBIT // 8


def budget_of(link: Link, at: datetime, seconds: float) -> int:
    """Bytes that all streams together may send in an interval that begins then; one across a change of
    the link's hours has what the first of them allow."""
    return int(bytes_per_second(link, at) * seconds)


def forecast(stream: Stream, others: Sequence[Stream], link: Link, now: datetime) -> Forecast:
    """Of `stream`, if the others go on until they have arrived and nothing is added. Each stream's `most`
    is its bytes in a second."""
    at, left = now, {each.id: each.wanted for each in (stream, *others)}
    running = (stream, *others)
    while left[stream.id] > 0:
        if at - now > LONGEST:
            return Forecast(stream.wanted, now, None)
        # Rates are those of an hour's share, which no stream is too small for.
        active = [
            replace(each, wanted=1 << 62, most=None if each.most is None else each.most * 3600)
            for each in running
            if left[each.id] > 0
        ]
        rates = share(bytes_per_second(link, at) * 3600, active)
        change = _next_change(link, at)
        ends = [timedelta(seconds=left[id] * 3600 / rate) for id, rate in rates.items() if rate > 0]
        step = min([change - at, *ends]) if ends else change - at
        step = max(step, timedelta(microseconds=1))
        for id, rate in rates.items():
            left[id] = max(0, left[id] - round(rate * step.total_seconds() / 3600))
            if left[id] * 3600 < rate / 1000:
                left[id] = 0
        at += step
    return Forecast(stream.wanted, now, at)


def _next_change(link: Link, at: datetime) -> datetime:
    """When the link's budget may change next; looked at daily where it doesn't."""
    if link.other_hours is None:
        return at + timedelta(days=1)
    local = at.astimezone(JAPAN)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = {link.other_hours.begins, link.other_hours.ends}
    later = [
        midnight + timedelta(days=day, minutes=minute)
        for day in (0, 1)
        for minute in moments
        if midnight + timedelta(days=day, minutes=minute) > local
    ]
    return min(later)


def size_text(amount: int) -> str:
    """In powers of ten, as lines and disks are sold."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount} B"

"""How far apart two points of a policy lie at the most when all goes by plan: what it can promise.

Counted between the moments that the points show. A copy that has hours may begin anywhere in them, so that
one at their beginning is followed by one at their end. How long a copy is read comes on top, and is known
only when it has been read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from control_plane.model.backup.policy import BackupCopy, BackupInterval
from control_plane.model.backup.schedule import opening
from control_plane.model.hours import DAY_MINUTES, JAPAN, DailyHours, ServiceWindow, Weekday

LONGEST_HOURS = 367 * 24
"""What copies that never begin, or none, are said to be apart."""

_STEPS = {
    BackupInterval.DAY: (1,),
    BackupInterval.WEEK: (7,),
    BackupInterval.MONTH: (28, 29, 30, 31),
    BackupInterval.YEAR: (365, 366),
}
"""Days from one slot to the next."""

_MONDAY = datetime(2024, 1, 1, tzinfo=JAPAN)


def longest_gap(copies: Iterable[BackupCopy], spared: Sequence[ServiceWindow] = ()) -> int:
    """Whole hours between two points of these copies, at the most. While `spared` hold, none but hourly ones
    begin."""
    return min((_gap(copy, spared) for copy in copies), default=LONGEST_HOURS)


def hours_widen(copies: Sequence[BackupCopy], spared: Sequence[ServiceWindow] = ()) -> bool:
    """Whether they would lie closer together if they could begin at any hour."""
    free = (replace(copy, until=None) for copy in copies)
    return longest_gap(free) < longest_gap(copies, spared)


def _gap(copy: BackupCopy, spared: Sequence[ServiceWindow]) -> int:
    if copy.every is BackupInterval.HOUR:
        if copy.until is None:
            return 1
        return 1 + _hours(
            timedelta(minutes=DAY_MINUTES - DailyHours(copy.begins, copy.until).minutes)
        )
    apart = timedelta()
    for slot, next_slot in _neighbours(copy):
        first, second = opening(copy, slot, spared), opening(copy, next_slot, spared)
        if first is None or second is None:
            return LONGEST_HOURS
        apart = max(apart, _last_moment(copy, second) - first)
    return _hours(apart)


def _neighbours(copy: BackupCopy) -> Iterator[tuple[datetime, datetime]]:
    """Slots that follow each other, on each weekday on which they may begin."""
    begins = _MONDAY + timedelta(minutes=copy.begins)
    for weekday in range(7):
        if copy.every is BackupInterval.WEEK and weekday != _day_of(copy):
            continue
        slot = begins + timedelta(days=weekday)
        for days in _STEPS[copy.every]:
            yield slot, slot + timedelta(days=days)


def _day_of(copy: BackupCopy) -> int:
    return tuple(Weekday).index(copy.weekday or Weekday.SUN)


def _last_moment(copy: BackupCopy, opens: datetime) -> datetime:
    """When the hours end in which it may begin from `opens` on: at once, for one that has none."""
    if copy.until is None:
        return opens
    midnight = opens.astimezone(JAPAN).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = midnight + timedelta(minutes=copy.until)
    return ends if ends > opens else ends + timedelta(days=1)


def _hours(span: timedelta) -> int:
    return -(-span // timedelta(hours=1))

"""Hours by Japan's clock, which has no summer time: when systems are in use, and when work may be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import NewType

JAPAN = timezone(timedelta(hours=9), "JST")

MinuteOfDay = NewType("MinuteOfDay", int)
"""Minutes since midnight by Japan's clock, 0 to 1440; 1440 is the midnight at the day's end."""

DAY_MINUTES = 24 * 60


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"

    @staticmethod
    def of(at: datetime) -> Weekday:
        """The day that it is in Japan then."""
        return tuple(Weekday)[at.astimezone(JAPAN).weekday()]


@dataclass(frozen=True, slots=True)
class ServiceWindow:
    """Open on each of `days` from `opens` until `closes`, which comes later on the same day."""

    days: tuple[Weekday, ...]
    opens: MinuteOfDay
    closes: MinuteOfDay


ALWAYS_OPEN = (ServiceWindow(tuple(Weekday), MinuteOfDay(0), MinuteOfDay(DAY_MINUTES)),)


@dataclass(frozen=True, slots=True)
class DailyHours:
    """From `begins` until `ends` on every day; over midnight where `ends` is the smaller."""

    begins: MinuteOfDay
    ends: MinuteOfDay

    def hold(self, at: datetime) -> bool:
        minute, begins, ends = minute_of(at), self.begins % DAY_MINUTES, self.ends
        if begins < ends:
            return begins <= minute < ends
        return minute >= begins or minute < ends

    @property
    def minutes(self) -> int:
        """How long they last: a whole day where both are the same."""
        return (self.ends - self.begins) % DAY_MINUTES or DAY_MINUTES


def minute_of(at: datetime) -> MinuteOfDay:
    local = at.astimezone(JAPAN)
    return MinuteOfDay(local.hour * 60 + local.minute)


def in_service(windows: Iterable[ServiceWindow], at: datetime) -> bool:
    """Whether a system with these windows is in use then."""
    minute, day = minute_of(at), Weekday.of(at)
    return any(day in each.days and each.opens <= minute < each.closes for each in windows)


def time_of_day(minute: MinuteOfDay) -> str:
    """As in `23:30`; the day's end is `24:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def minute_from(text: str) -> MinuteOfDay:
    """Of `HH:MM`, as a schema has let it through."""
    return MinuteOfDay(int(text[:2]) * 60 + int(text[3:]))

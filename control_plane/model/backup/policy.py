"""What is copied when, where it is kept and for how long, and what may be lost at most.

A copy's schedule divides time into slots, each beginning at one of its moments: a day's at 23:30, a
month's on its first day. A slot asks for one recovery point; the first whole one of a slot is the slot's.
`generations` counts slots that have a point, and not days, so that neither a clock that jumps nor a
long standstill makes anything go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from control_plane.model.backup.dumps import Dump
from control_plane.model.hours import (
    JAPAN,
    DailyHours,
    MinuteOfDay,
    Weekday,
    time_of_day,
)
from control_plane.model.ids import RegionId


class BackupInterval(StrEnum):
    """Unless told otherwise a week's copy is taken on Sunday, a month's on its first day, and a year's on
    the first of April, when the fiscal year begins."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    @property
    def most_hours(self) -> int:
        """The longest time between two copies."""
        return {"hour": 1, "day": 24, "week": 7 * 24, "month": 31 * 24, "year": 366 * 24}[
            self.value
        ]


class BackupPlace(StrEnum):
    """Where a copy is kept: in the same building, in another one of the region, in another region,
    or with the member itself, who can go on with the least of its work from there."""

    ON_SITE = "on-site"
    OFF_SITE = "off-site"
    OTHER_REGION = "other-region"
    MEMBER = "member"

    @property
    def ja(self) -> str:
        return _PLACES_JA[self.value]


_PLACES_JA = {
    "on-site": "同じ建物",
    "off-site": "別の建物",
    "other-region": "別のリージョン",
    "member": "団体の手元",
}

NEAREST_FIRST = tuple(BackupPlace)


@dataclass(frozen=True, slots=True)
class BackupCopy:
    """`at` is None for an hourly copy; `generations` are kept at each of `places`. With `until` it begins
    between `at` and then, on a later day if not on its own. `weekday` is a week's copy's, `day` (1 to 28)
    a month's or a year's, `month` a year's."""

    every: BackupInterval
    generations: int
    places: tuple[BackupPlace, ...]
    at: MinuteOfDay | None = None
    until: MinuteOfDay | None = None
    weekday: Weekday | None = None
    day: int | None = None
    month: int | None = None

    @property
    def begins(self) -> MinuteOfDay:
        return MinuteOfDay(0) if self.at is None else self.at

    @property
    def label(self) -> str:
        """As in `day 23:30`."""
        return self.every.value if self.at is None else f"{self.every} {time_of_day(self.at)}"

    def slot_of(self, moment: datetime) -> datetime:
        """When the slot began that `moment` is in, in Japan's time."""
        local = moment.astimezone(JAPAN)
        if self.every is BackupInterval.HOUR:
            return local.replace(minute=0, second=0, microsecond=0)
        today = local.date()
        # Two back, because 24:00 of a day is the next day's beginning.
        for steps in range(3):
            begins = self._begins_on(self._day_back(today, steps))
            if begins <= local:
                return begins
        raise AssertionError("a slot is no longer than its interval")

    def slot_after(self, slot: datetime) -> datetime:
        """When the slot behind that one begins; `slot` is a slot's beginning."""
        if self.every is BackupInterval.HOUR:
            return slot + timedelta(hours=1)
        # The moment before the slot's day ends belongs to the same slot, the longest interval on to a later.
        later = slot + timedelta(hours=self.every.most_hours + 24)
        found = self.slot_of(later)
        while (before := self.slot_of(found - timedelta(seconds=1))) > slot:
            found = before
        return found

    def _begins_on(self, day: date) -> datetime:
        return datetime.combine(day, time(), JAPAN) + timedelta(minutes=self.begins)

    def _day_back(self, today: date, steps: int) -> date:
        """The day of the slot `steps` before the one whose day is the last not after `today`."""
        match self.every:
            case BackupInterval.WEEK:
                wanted = tuple(Weekday).index(self.weekday or Weekday.SUN)
                return today - timedelta(days=(today.weekday() - wanted) % 7 + 7 * steps)
            case BackupInterval.MONTH:
                months = today.year * 12 + today.month - 1 - (today.day < (self.day or 1)) - steps
                return date(months // 12, months % 12 + 1, self.day or 1)
            case BackupInterval.YEAR:
                this = date(today.year, self.month or 4, self.day or 1)
                return this.replace(year=today.year - (today < this) - steps)
            case _:
                return today - timedelta(days=steps)

    def may_begin(self, at: datetime) -> bool:
        """Whether `at` lies between `at` and `until`."""
        return self.until is None or DailyHours(self.begins, self.until).hold(at)


@dataclass(frozen=True, slots=True)
class BackupPolicy:
    """`rpo_hours` is the most work that may be lost, in hours: the recovery point objective;
    `rpo_away_hours` the most that may be lost with the source's building and hazard zones. `regions` are
    where copies in another region go, the first that is open to them; none named means any.
    `spare_service_hours`: copies other than hourly ones don't begin while the system is in use.
    `quiesce`: the guest is asked to hold still. `test_every_days`: how old the last proven restore may be;
    None proves none. `most_mbit_per_s` bounds what its copies take of a link. `dumps`: what guests run before
    they are frozen and after, at most one for servers of a role."""

    rpo_hours: int
    copies: tuple[BackupCopy, ...]
    rpo_away_hours: int | None = None
    regions: tuple[RegionId, ...] = ()
    spare_service_hours: bool = False
    quiesce: bool = True
    test_every_days: int | None = 30
    most_mbit_per_s: int | None = None
    dumps: tuple[Dump, ...] = ()

    @property
    def places(self) -> tuple[BackupPlace, ...]:
        """Every place that a copy names, nearest first."""
        named = {place for copy in self.copies for place in copy.places}
        return tuple(place for place in NEAREST_FIRST if place in named)

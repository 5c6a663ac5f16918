"""When a copy will have arrived: from what is left of it, what stands before it, and each link's budget by the
hour.

The queue is the one that copies stand in: earlier tiers first, so many at once, one of each member into
each repository, and none over a link that has nothing for backups at that hour. Those of one tier that
have to take turns are taken as if all of them ran, which in the long run comes to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_plane.model.backup.ids import LinkId
from control_plane.model.backup.sharing import COPIES_AT_ONCE, Link, Stream, share
from control_plane.model.hours import JAPAN

LONGEST = timedelta(days=366)
"""What takes longer is not foretold: something will have changed by then."""

_BIT_PER_MBIT = 10**6


@dataclass(frozen=True, slots=True)
class Lacking:
    """What of a system's points a repository lacks: `bytes`, or `at_most` so many. `first`: hardly anything
    of it lies there yet."""

    bytes: int
    at_most: bool = False
    first: bool = True


@dataclass(frozen=True, slots=True)
class Queued:
    """What one system still has to send to a repository: `stream.wanted` bytes, of which `stream.most` in a
    second, or `at_most` so many. `place` is its member's in that repository; without a `link` on record
    nobody knows how fast it goes."""

    stream: Stream
    place: str
    link: Link | None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """`arrives_at` None: not within a year, or never. Not `known`: it stands behind what goes over a way
    without a budget. `at_most`: it may be sooner."""

    begins_at: datetime
    arrives_at: datetime | None
    at_most: bool = False
    known: bool = True

    @property
    def hours(self) -> float | None:
        if self.arrives_at is None:
            return None
        return (self.arrives_at - self.begins_at).total_seconds() / 3600

    def sentences(self, lacking: Lacking, where: str, where_ja: str) -> tuple[str, str]:
        """As in "Kagoshima's 2.0 TB first copy takes 41 h"."""
        if not lacking.bytes:
            return (
                f"Nothing is left to copy to {where}.",
                f"{where_ja}へのコピーはすべて終わっています。",
            )
        en, ja = _named(lacking, where, where_ja)
        if not self.known:
            return (
                f"How long {en} takes is not known: other copies come first over ways without a budget, and nobody knows how long those take.",
                f"{ja}の所要時間は分かりません。割り当てのない経路のコピーが先に実行され、その所要時間が分からないためです。",
            )
        if self.hours is None:
            return (
                f"{en} would not arrive within a year: the link has too little for backups.",
                f"{ja}は1年以内に終わりません。回線の割り当てが足りません。",
            )
        took = f"{self.hours:.0f}" if self.hours >= 10 else f"{self.hours:.1f}"
        if self.at_most:
            return (f"{en} takes at most {took} h.", f"{ja}には最大で {took} 時間かかります。")
        return (f"{en} takes {took} h.", f"{ja}には {took} 時間かかります。")


def bytes_per_second(link: Link, at: datetime) -> int:
    other = link.other_hours is not None and link.other_hours.hold(at)
    return (link.other_mbit_per_s if other else link.mbit_per_s) * _BIT_PER_MBIT // 8


def budget_of(link: Link, at: datetime, seconds: float) -> int:
    """Bytes that all streams together may send in an interval that begins then; one across a change of
    the link's hours has what the first of them allow."""
    return int(bytes_per_second(link, at) * seconds)


def forecast(
    wanted: Queued, others: Sequence[Queued], now: datetime, slots: int = COPIES_AT_ONCE
) -> Forecast:
    """Of `wanted`, if nothing is added to the queue. What restores read is not foreseen."""
    queue = (wanted, *others)
    links = {each.link.id: each.link for each in queue if each.link is not None}
    at, left = now, {each.stream.id: each.stream.wanted for each in queue}
    while left[wanted.stream.id] > 0:
        if at - now > LONGEST:
            return Forecast(now, None)
        waiting = [each for each in queue if left[each.stream.id] > 0 and _goes(each, at)]
        running = _let_in(waiting, slots)
        if wanted not in running and wanted in _let_in(
            [each for each in waiting if each.link is not None], slots
        ):
            return Forecast(now, None, known=False)
        rates: dict[str, int] = {}
        for link in links.values():
            rates.update(_rates(link, _over(running, link.id), at))
        ends = [timedelta(seconds=left[id] * 3600 / rate) for id, rate in rates.items() if rate > 0]
        changes = [_next_change(link, at) for link in links.values()]
        step = min([change - at for change in changes] + ends, default=timedelta(days=1))
        step = max(step, timedelta(microseconds=1))
        for id, rate in rates.items():
            left[id] = max(0, left[id] - round(rate * step.total_seconds() / 3600))
            if left[id] * 3600 < rate / 1000:
                left[id] = 0
        at += step
    return Forecast(now, at, at_most=any(each.at_most for each in queue))


def _goes(copy: Queued, at: datetime) -> bool:
    return copy.link is None or bytes_per_second(copy.link, at) > 0


def _let_in(waiting: Sequence[Queued], slots: int) -> list[Queued]:
    """All of a tier of which not all may run take turns."""
    running: list[Queued] = []
    taken: set[str] = set()
    for tier in sorted({each.stream.tier for each in waiting}):
        if len(taken) >= slots:
            break
        mine = [each for each in waiting if each.stream.tier == tier and each.place not in taken]
        running += mine
        taken |= {each.place for each in mine}
    return running


def _over(running: Sequence[Queued], link: LinkId) -> list[Stream]:
    return [each.stream for each in running if each.link is not None and each.link.id == link]


def _rates(link: Link, streams: Sequence[Stream], at: datetime) -> dict[str, int]:
    """In an hour, whose share no stream is too small for."""
    active = [
        replace(each, wanted=1 << 62, most=None if each.most is None else each.most * 3600)
        for each in streams
    ]
    return dict(share(bytes_per_second(link, at) * 3600, active))


def _named(lacking: Lacking, where: str, where_ja: str) -> tuple[str, str]:
    """What is to be copied, in English and in Japanese."""
    size = size_text(lacking.bytes)
    most, most_ja = ("at most ", "最大 ") if lacking.at_most else ("", "")
    if not lacking.first:
        return (
            f"What is left to copy to {where} ({most}{size})",
            f"{where_ja}への残りのコピー({most_ja}{size})",
        )
    ja = f"{where_ja}への最初のコピー({most_ja}{size})"
    if lacking.at_most:
        return f"{where}'s first copy (at most {size})", ja
    return f"{where}'s {size} first copy", ja


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

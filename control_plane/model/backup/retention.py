"""Which recovery points stay, where, and why: grandfather, father, son.

A copy of the policy keeps the first whole point of each of the newest `generations` slots that have one,
at each of its places. At a place that the newest have not reached yet, the newest of those that lie there
stay in their stead: nothing goes before what replaces it has come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.backup.policy import BackupCopy, BackupPlace, BackupPolicy


class WhyKept(StrEnum):
    RULE = "rule"
    NEWEST = "newest"
    NEWEST_PROVEN = "newest-proven"
    PINNED = "pinned"
    """By a disaster declaration."""
    ASKED_FOR = "asked-for"
    """Taken at somebody's word, and not as old yet as such are kept."""
    TO_BE_COPIED = "to-be-copied"
    UNDER_WAY = "under-way"
    LATER_THAN_NOW = "later-than-now"
    """A clock was ahead when it was taken, or is behind now."""


@dataclass(frozen=True, slots=True)
class Kept:
    """`place` None: wherever it lies. `copy` is the place of a rule's copy in the policy."""

    why: WhyKept
    place: BackupPlace | None = None
    copy: int | None = None


@dataclass(frozen=True, slots=True)
class HeldPoint:
    """A recovery point as retention sees it. `whole`: it was finished, and nothing of it is known to be
    damaged everywhere. `places` is where it lies whole."""

    id: RecoveryPointId
    taken_at: datetime
    whole: bool = True
    under_way: bool = False
    proven_at: datetime | None = None
    keep_until: datetime | None = None
    places: frozenset[BackupPlace] = frozenset()


@dataclass(frozen=True, slots=True)
class Retention:
    """`kept` has a reason at least for each point that stays anywhere. `wanted` are the places where a
    point is to lie and doesn't yet."""

    kept: Mapping[RecoveryPointId, tuple[Kept, ...]]
    wanted: Mapping[RecoveryPointId, frozenset[BackupPlace]]

    def stays(self, point: RecoveryPointId, place: BackupPlace) -> bool:
        return any(reason.place in (None, place) for reason in self.kept.get(point, ()))


def kept(
    policy: BackupPolicy,
    points: Sequence[HeldPoint],
    pins: Collection[RecoveryPointId],
    now: datetime,
) -> Retention:
    """Which points of one system stay at which places; the order of `points` is of no account."""
    ordered = sorted(points, key=lambda point: (point.taken_at, point.id))
    past = [point for point in ordered if point.whole and point.taken_at <= now]
    reasons = _apart_from_rules(ordered, past, pins, now)
    wanted: defaultdict[RecoveryPointId, set[BackupPlace]] = defaultdict(set)
    for index, copy in enumerate(policy.copies):
        of_all = chosen(copy, past)
        for place in copy.places:
            there = chosen(copy, [point for point in past if place in point.places])
            for point in {p.id: p for p in (*of_all, *there)}.values():
                reasons[point.id].append(Kept(WhyKept.RULE, place, index))
                if place not in point.places:
                    wanted[point.id].add(place)
    for point in past:
        # A member fetches its own in its own time; nobody waits for that.
        if point.places and wanted.get(point.id, set()) - {BackupPlace.MEMBER}:
            reasons[point.id].append(Kept(WhyKept.TO_BE_COPIED))
    return Retention(
        {point: tuple(why) for point, why in reasons.items()},
        {point: frozenset(places) for point, places in wanted.items()},
    )


def _apart_from_rules(
    ordered: Sequence[HeldPoint],
    past: Sequence[HeldPoint],
    pins: Collection[RecoveryPointId],
    now: datetime,
) -> defaultdict[RecoveryPointId, list[Kept]]:
    latest = past[-1].taken_at if past else None
    proven = [point.id for point in past if point.proven_at is not None]
    # Of what is damaged something may still be saved, as long as nothing newer is whole.
    newest = {point.id for point in past[-1:]} | {
        point.id
        for point in ordered
        if not (point.whole or point.under_way) and (latest is None or point.taken_at > latest)
    }
    reasons: defaultdict[RecoveryPointId, list[Kept]] = defaultdict(list)
    for point in ordered:
        for holds, why in (
            (point.under_way, WhyKept.UNDER_WAY),
            (point.id in pins, WhyKept.PINNED),
            (point.taken_at > now, WhyKept.LATER_THAN_NOW),
            (point.keep_until is not None and point.keep_until > now, WhyKept.ASKED_FOR),
            (point.id in newest, WhyKept.NEWEST),
            (point.id in proven[-1:], WhyKept.NEWEST_PROVEN),
        ):
            if holds:
                reasons[point.id].append(Kept(why))
    return reasons


def chosen(copy: BackupCopy, points: Iterable[HeldPoint]) -> list[HeldPoint]:
    """The first point of each of the newest slots that have one; `points` come oldest first."""
    first: dict[datetime, HeldPoint] = {}
    for point in points:
        first.setdefault(copy.slot_of(point.taken_at), point)
    return [first[slot] for slot in sorted(first)[-copy.generations :]]

"""What is to be taken now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPolicy
from control_plane.model.hours import JAPAN, ServiceWindow, in_service


@dataclass(frozen=True, slots=True)
class Due:
    """One point is to be taken, for all these copies (their places in the policy) at once. `since` is when
    the first of them became due."""

    copies: tuple[int, ...]
    since: datetime


def due(
    policy: BackupPolicy,
    history: Iterable[datetime],
    now: datetime,
    service_hours: Sequence[ServiceWindow] = (),
) -> Due | None:
    """The point that the policy asks for now, or None. `history` is when whole points were taken, or at
    least the last of them that is not after `now`; what a clock that was ahead has dated later counts for
    nothing. Only the slots that `now` is in are asked for: whatever was missed before is taken once."""
    newest = max((at for at in history if at <= now), default=None)
    spared = spared_hours(policy, service_hours)
    waiting: list[tuple[int, datetime]] = []
    for index, copy in enumerate(policy.copies):
        slot = copy.slot_of(now)
        missing = newest is None or newest < slot
        if missing and _may_begin(copy, now, spared):
            waiting.append((index, slot))
    if not waiting:
        return None
    return Due(tuple(index for index, _ in waiting), min(slot for _, slot in waiting))


def next_due(
    policy: BackupPolicy,
    history: Iterable[datetime],
    now: datetime,
    service_hours: Sequence[ServiceWindow] = (),
) -> datetime | None:
    """When something will be due if nothing is taken until then, to the minute; `now` where something is.
    None where that is not within a year and a month."""
    if due(policy, (known := tuple(history)), now, service_hours) is not None:
        return now
    newest = max((at for at in known if at <= now), default=None)
    spared = spared_hours(policy, service_hours)
    found: list[datetime] = []
    for copy in policy.copies:
        slot = copy.slot_of(now)
        begins = now if newest is None or newest < slot else copy.slot_after(slot)
        opens = opening(copy, begins, spared)
        if opens is not None:
            found.append(opens)
    return min(found, default=None)


def spared_hours(
    policy: BackupPolicy, service_hours: Sequence[ServiceWindow]
) -> Sequence[ServiceWindow]:
    """Those in which its copies don't begin, hourly ones apart."""
    return service_hours if policy.spare_service_hours else ()


def opening(
    copy: BackupCopy, begins: datetime, spared: Sequence[ServiceWindow] = ()
) -> datetime | None:
    """The first moment from then on at which the copy may begin. That changes at whole minutes of a day's
    hours only, so those are all that need to be looked at."""
    if _may_begin(copy, begins, spared):
        return begins
    minutes = {copy.begins, *(w.closes for w in spared), *(w.opens for w in spared)}
    midnight = begins.astimezone(JAPAN).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(-1, 9):
        for minute in sorted(minutes | {0}):
            at = midnight + timedelta(days=day, minutes=minute)
            if at > begins and _may_begin(copy, at, spared):
                return at
    return None


def _may_begin(copy: BackupCopy, at: datetime, spared: Sequence[ServiceWindow]) -> bool:
    if not copy.may_begin(at):
        return False
    return copy.every is BackupInterval.HOUR or not in_service(spared, at)

"""An objective is accepted only if the copies keep it when each begins as late as it may."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from control_plane.model.backup.check import check_policy
from control_plane.model.backup.gaps import longest_gap
from control_plane.model.backup.objectives import Shortfall, breaches
from control_plane.model.backup.points import BackupStanding
from control_plane.model.backup.policy import BackupCopy, BackupInterval
from control_plane.model.backup.policy_document import policy_mistakes
from control_plane.model.backup.schedule import due, next_due
from control_plane.model.hours import MinuteOfDay, ServiceWindow, Weekday
from tests.backup.policies.samples import (
    CELLAR,
    FAR,
    HILL,
    KAGOSHIMA,
    ON,
    SOURCE,
    copy,
    japan,
    policy,
)
from tests.backup.policies.test_what_is_due import COUNTERS, moments

AT_NIGHT = copy("day", 5, ON, FAR, at="22:00", until="05:00")


@pytest.mark.parametrize(
    ("one", "hours"),
    [
        (copy("hour", 5), 1),
        (copy("hour", 5, at="10:00", until="17:30"), 18),
        (copy("day", 5, at="22:00"), 24),
        (copy("day", 5, at="22:00", until="05:00"), 31),
        (copy("day", 5, at="22:30", until="05:00"), 31),
        (copy("day", 5, at="24:00", until="24:00"), 48),
        (copy("week", 5, at="22:00", until="06:00"), 176),
        (copy("month", 5, at="01:00", until="05:00"), 31 * 24 + 4),
        (copy("year", 5, at="01:00"), 366 * 24),
    ],
)
def test_the_longest_gap_counts_the_hours_in_which_a_copy_may_begin(
    one: BackupCopy, hours: int
) -> None:
    assert longest_gap([one]) == hours
    assert longest_gap([one, copy("year", 1, at="23:00")]) == hours


def test_an_objective_that_hours_break_is_refused_with_the_one_that_can_be_kept() -> None:
    before, after = japan("2026-04-01 22:00"), japan("2026-04-03 04:59")
    assert due(policy(AT_NIGHT), [before], after) is not None, "what the schedule allows"
    (refused,) = check_policy(policy(AT_NIGHT), SOURCE, [CELLAR, KAGOSHIMA], None)
    assert refused.type == "objective-unreachable"
    assert "up to 31 h" in refused.en
    assert "raise rpo_hours to 31" in refused.en
    assert "rpo_hours を 31 以上" in refused.ja
    (mistake,) = policy_mistakes(policy(AT_NIGHT))
    assert mistake.path == ("rpo_hours",)
    assert "up to 31 hours" in mistake.en
    honest = replace(policy(AT_NIGHT, rpo_hours=31), rpo_away_hours=30)
    (away,) = check_policy(honest, SOURCE, [CELLAR, KAGOSHIMA], None)
    assert "raise rpo_away_hours to 31" in away.en
    assert check_policy(replace(honest, rpo_away_hours=31), SOURCE, [CELLAR, KAGOSHIMA], None) == ()


def test_hours_that_are_spared_put_copies_further_apart() -> None:
    # On Sunday at 16:00, and on Monday when the counters close.
    spared = replace(policy(copy("day", 5, ON, FAR, at="16:00")), spare_service_hours=True)
    (refused,) = check_policy(spared, SOURCE, [CELLAR, KAGOSHIMA], None, COUNTERS)
    assert "raise rpo_hours to 25" in refused.en
    assert check_policy(spared, SOURCE, [CELLAR, KAGOSHIMA], None) == ()
    # Counters take all of a weekday's hours: from Sunday's beginning to Saturday's end.
    weekend = copy("day", 5, at="08:30", until="17:00")
    assert longest_gap([weekend], COUNTERS) == 6 * 24 + 9


def test_a_copy_at_some_hours_is_not_called_late_in_the_morning_for_the_night() -> None:
    by_day = policy(copy("hour", 9, ON, FAR, at="08:00", until="18:00"), rpo_hours=15)
    assigned = {ON: CELLAR.id, FAR: HILL.id}
    evening, morning = japan("2026-04-01 17:00"), japan("2026-04-02 08:00")
    standing = BackupStanding(morning, evening, morning, {CELLAR.id: morning, HILL.id: evening})
    now = morning + timedelta(minutes=5)
    late = [
        b.what
        for b in breaches(by_day, standing, assigned, evening, now)
        if b.what is Shortfall.COPY_LATE
    ]
    assert late == []


@pytest.mark.parametrize(
    ("taken", "looked", "missed"),
    [
        (None, "2026-04-02 22:00", []),
        (None, "2026-04-02 22:10", [Shortfall.OBJECTIVE_MISSED, Shortfall.AWAY_MISSED]),
        # It is read for three hours, and may be for six.
        ("2026-04-02 22:01", "2026-04-03 01:00", []),
        (
            "2026-04-02 22:01",
            "2026-04-03 04:10",
            [Shortfall.OBJECTIVE_MISSED, Shortfall.AWAY_MISSED],
        ),
        # It began when it should have been there long since.
        (
            "2026-04-02 23:30",
            "2026-04-02 23:40",
            [Shortfall.OBJECTIVE_MISSED, Shortfall.AWAY_MISSED],
        ),
    ],
)
def test_each_nights_point_may_take_its_time_before_anybody_is_called(
    taken: str | None, looked: str, missed: list[Shortfall]
) -> None:
    nightly = replace(policy(copy("day", 5, ON, FAR, at="22:00")), rpo_away_hours=24)
    before = japan("2026-04-01 22:00")
    under_way = None if taken is None else japan(taken)
    both = {CELLAR.id: before, HILL.id: before}
    standing = BackupStanding(before, before, before, both, under_way)
    assigned = {ON: CELLAR.id, FAR: HILL.id}
    found = breaches(nightly, standing, assigned, before, japan(looked))
    assert [breach.what for breach in found] == missed


def test_a_point_that_is_whole_may_take_its_time_on_the_line() -> None:
    nightly = replace(policy(copy("day", 5, ON, FAR, at="22:00")), rpo_away_hours=24)
    before, newest = japan("2026-04-01 22:00"), japan("2026-04-02 22:00")
    standing = BackupStanding(newest, before, newest, {CELLAR.id: newest, HILL.id: before})
    assigned = {ON: CELLAR.id, FAR: HILL.id}
    for looked, missed in (
        ("2026-04-03 03:50", []),
        ("2026-04-03 04:10", [Shortfall.AWAY_MISSED]),
    ):
        found = breaches(nightly, standing, assigned, before, japan(looked))
        assert [breach.what for breach in found] == missed


@st.composite
def copies_with_hours(draw: st.DrawFn) -> tuple[BackupCopy, int]:
    """With how many minutes after its hours begin it may still do so; 0 for a copy without."""
    every = draw(st.sampled_from([BackupInterval.DAY, BackupInterval.WEEK, BackupInterval.MONTH]))
    at, long = draw(st.integers(0, 1440)), draw(st.one_of(st.none(), st.integers(1, 720)))
    until = None if long is None else MinuteOfDay((at + long) % 1440)
    late = 0 if long is None else draw(st.integers(0, long - 1))
    return BackupCopy(every, 1, (), MinuteOfDay(at), until), late


closed = st.builds(
    lambda days, opens, long: (ServiceWindow(tuple(days), opens, MinuteOfDay(opens + long)),),
    st.sets(st.sampled_from(Weekday), min_size=1),
    st.integers(0, 900).map(MinuteOfDay),
    st.integers(1, 540),
)


@settings(max_examples=60, deadline=None)
@given(copies_with_hours(), closed, moments)
def test_no_two_points_that_the_schedule_asks_for_are_further_apart_than_promised(
    drawn: tuple[BackupCopy, int], spared: tuple[ServiceWindow, ...], moment: datetime
) -> None:
    one, late = drawn
    wanted = replace(policy(one), spare_service_hours=True)
    slot = one.slot_of(moment)
    first = next_due(wanted, [slot - timedelta(days=400)], slot, spared)
    assume(first is not None and first < one.slot_after(slot))
    assert first is not None
    second = next_due(wanted, [first], first, spared)
    assert second is not None
    # The schedule asks from then on, and until the hours end if it has any.
    later = second + timedelta(minutes=late)
    if due(wanted, [first], later, spared) is not None:
        assert later - first <= timedelta(hours=longest_gap([one], spared))

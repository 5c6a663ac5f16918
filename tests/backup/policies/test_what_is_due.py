"""When a point is to be taken: by Japan's clock, once for whatever was missed, and at the hours allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.backup.policy import BackupCopy, BackupInterval
from control_plane.model.backup.schedule import due, next_due
from control_plane.model.hours import MinuteOfDay, ServiceWindow, Weekday
from tests.backup.policies.samples import copy, japan, policy

HOURLY_AND_NIGHTLY = policy(
    copy("hour", 24), copy("day", 14, at="23:30"), copy("month", 12, at="01:00"), rpo_hours=1
)
COUNTERS = (ServiceWindow(tuple(Weekday)[:5], MinuteOfDay(8 * 60 + 30), MinuteOfDay(17 * 60)),)


@pytest.mark.parametrize(
    ("newest", "now", "copies"),
    [
        ("2026-04-02 10:00", "2026-04-02 10:59", None),
        ("2026-04-02 10:00", "2026-04-02 11:00", (0,)),
        ("2026-04-02 23:00", "2026-04-02 23:30", (1,)),
        ("2026-04-02 23:29", "2026-04-03 00:10", (0, 1)),
        # The first of the month at 01:00: one point for the hour and for the month.
        ("2026-05-01 00:00", "2026-05-01 01:00", (0, 2)),
        # Down for ten days over the turn of a month: one point, for everything that was missed.
        ("2026-04-25 10:00", "2026-05-05 12:34", (0, 1, 2)),
        # A clock that was a year ahead has dated a point; that keeps nothing from being taken.
        ("2027-04-02 10:00", "2026-04-02 10:05", (0, 1, 2)),
        (None, "2026-04-02 10:05", (0, 1, 2)),
    ],
)
def test_one_point_is_due_for_all_that_is_missing(
    newest: str | None, now: str, copies: tuple[int, ...] | None
) -> None:
    history = [] if newest is None else [japan(newest)]
    found = due(HOURLY_AND_NIGHTLY, history, japan(now))
    assert (None if found is None else found.copies) == copies
    if found is not None:
        again = due(HOURLY_AND_NIGHTLY, [*history, japan(now)], japan(now))
        assert again is None, "it is taken once, not once for each time that was missed"


def test_a_missed_copy_waits_for_the_hours_in_which_it_may_begin() -> None:
    at_night = policy(copy("day", 5, at="22:00", until="05:00"))
    before = [japan("2026-04-01 22:00")]
    assert due(at_night, before, japan("2026-04-02 21:59")) is None
    assert due(at_night, before, japan("2026-04-03 04:59")) is not None
    assert due(at_night, before, japan("2026-04-03 09:00")) is None
    assert next_due(at_night, before, japan("2026-04-03 09:00")) == japan("2026-04-03 22:00")

    spared = replace(policy(copy("day", 5, at="23:00")), spare_service_hours=True)
    noon = japan("2026-04-03 12:00")  # a Friday
    assert due(spared, before, noon, COUNTERS) is None
    assert next_due(spared, before, noon, COUNTERS) == japan("2026-04-03 17:00")
    assert due(spared, before, japan("2026-04-04 12:00"), COUNTERS) is not None


copies = st.builds(
    BackupCopy,
    every=st.sampled_from(BackupInterval),
    generations=st.integers(1, 5),
    places=st.just(()),
    at=st.one_of(st.none(), st.integers(0, 1440).map(MinuteOfDay)),
    weekday=st.one_of(st.none(), st.sampled_from(Weekday)),
    day=st.one_of(st.none(), st.integers(1, 28)),
    month=st.one_of(st.none(), st.integers(1, 12)),
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=japan("2026-01-01 00:00").tzinfo)
)


@settings(max_examples=80, deadline=None)
@given(copies, moments)
def test_slots_follow_each_other_without_gaps_and_without_overlap(
    one: BackupCopy, moment: datetime
) -> None:
    begins = one.slot_of(moment)
    ends = one.slot_after(begins)
    assert begins <= moment < ends
    assert one.slot_of(begins) == begins
    assert one.slot_of(ends) == ends
    assert one.slot_of(ends - timedelta(microseconds=1)) == begins
    assert ends - begins <= timedelta(hours=one.every.most_hours)

"""A narrow line is shared fairly, earlier tiers first, and people are told how long a copy takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.backup.forecast import forecast
from control_plane.model.backup.ids import LinkId
from control_plane.model.backup.sharing import Link, Stream, share
from control_plane.model.hours import DailyHours, MinuteOfDay
from control_plane.model.ids import RegionId
from tests.backup.policies.samples import japan

ENDS = frozenset({RegionId("kyoto"), RegionId("kagoshima")})
LINE = Link(LinkId("lgwan"), ENDS, 120)
MUCH = 10**15
NOW = japan("2026-04-01 18:00")


def test_earlier_tiers_come_first_members_alike_and_nobody_gets_nothing() -> None:
    streams = [
        Stream("uji-1", "uji", 0, MUCH),
        Stream("uji-2", "uji", 0, MUCH),
        Stream("mikasa", "mikasa", 0, MUCH),
        Stream("library", "takeo", 3, MUCH),
    ]
    assert share(1000, streams) == {"uji-1": 225, "uji-2": 225, "mikasa": 450, "library": 100}
    modest = [Stream("uji-1", "uji", 0, MUCH, most=100), *streams[2:]]
    assert share(1000, modest) == {"uji-1": 100, "mikasa": 800, "library": 100}
    assert share(1000, [Stream("library", "takeo", 3, 40)]) == {"library": 40}


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 5000),
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 3),
            st.integers(0, 2000),
            st.one_of(st.none(), st.integers(0, 500)),
        ),
        max_size=8,
    ),
)
def test_the_whole_budget_is_given_out_and_nobody_gets_more_than_it_wants(
    budget: int, wishes: list[tuple[str, int, int, int | None]]
) -> None:
    streams = [Stream(str(n), *wish) for n, wish in enumerate(wishes)]
    given_out = share(budget, streams)
    assert all(0 <= given_out[each.id] <= each.takes for each in streams)
    assert sum(given_out.values()) == min(budget, sum(each.takes for each in streams))


@pytest.mark.parametrize(
    ("link", "others", "hours"),
    [
        # 2 TB at 108 Mbit/s, since a tenth of the line stays with the library.
        (LINE, [Stream("library", "takeo", 3, MUCH)], 41.2),
        (LINE, [], 37.0),
        # By day 20 Mbit/s, from 20:00 to 06:00 the whole: three nights, and the days between.
        (
            Link(LinkId("lgwan"), ENDS, 20, DailyHours(MinuteOfDay(1200), MinuteOfDay(360)), 120),
            [],
            72.2,
        ),
        # Another member's 0.2 TB of the same tier takes half of the line as long as it lasts.
        (LINE, [Stream("mikasa", "mikasa", 1, 2 * 10**11)], 40.7),
        (Link(LinkId("lgwan"), ENDS, 0), [], None),
    ],
)
def test_a_first_copy_of_two_terabytes_is_foretold(
    link: Link, others: list[Stream], hours: float | None
) -> None:
    found = forecast(Stream("first", "uji", 1, 2 * 10**12), others, link, NOW)
    if hours is None:
        assert found.arrives_at is None
        return
    assert found.hours == pytest.approx(hours, abs=0.1)
    assert found.arrives_at is not None
    assert found.arrives_at - NOW < timedelta(hours=hours + 0.2)
    if others and others[0].id == "library":
        assert (
            found.sentences("Kagoshima", "鹿児島")[0] == "Kagoshima's 2.0 TB first copy takes 41 h."
        )

"""A narrow line is shared fairly, earlier tiers first, and people are told how long a copy takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.backup.forecast import Lacking, Queued, forecast
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


def queued(
    system: str,
    tier: int,
    amount: int,
    *,
    member: str | None = None,
    to: str = "far",
    link: Link | None = LINE,
    at_most: bool = False,
) -> Queued:
    whose = member or system
    stream = Stream(f"{to}/{system}", whose, tier, amount)
    return Queued(stream, f"{to}/{whose}", link, at_most)


NIGHTS = Link(LinkId("lgwan"), ENDS, 20, DailyHours(MinuteOfDay(1200), MinuteOfDay(360)), 120)
NIGHTS_ONLY = Link(LinkId("lgwan"), ENDS, 0, DailyHours(MinuteOfDay(1200), MinuteOfDay(360)), 120)
OTHER_LINE = Link(LinkId("other"), frozenset({RegionId("kyoto"), RegionId("saga")}), 120)
TB = 10**12
LIBRARY = queued("library", 3, MUCH, member="takeo")


@pytest.mark.parametrize(
    ("link", "others", "hours"),
    [
        # 2 TB at 108 Mbit/s, since a tenth of the line stays with the library.
        (LINE, [LIBRARY], 41.2),
        (LINE, [], 37.0),
        # By day 20 Mbit/s, from 20:00 to 06:00 the whole: three nights, and the days between.
        (NIGHTS, [], 72.2),
        # Nothing by day: 3.7 nights of ten hours, of which the first begins at 20:00.
        (NIGHTS_ONLY, [], 81.0),
        # Another member's 0.2 TB of the same tier takes half of the line as long as it lasts.
        (LINE, [queued("mikasa", 1, TB // 5)], 40.7),
        # The member's own library goes to the same repository, and waits for all of it.
        (LINE, [queued("library", 3, MUCH, member="uji")], 37.0),
        # Its records go before it: 0.2 TB that have the line alone.
        (LINE, [queued("records", 0, TB // 5, member="uji")], 40.7),
        # Of an earlier tier eight run at once: until they are through, this waits. Each has an eighth.
        (LINE, [queued(f"records-{n}", 0, TB // 40) for n in range(8)], 40.7),
        # Places are taken by what goes elsewhere as well: for 3.7 h.
        (LINE, [queued(f"r-{n}", 0, TB // 40, link=OTHER_LINE) for n in range(8)], 40.7),
        # Seven leave one place.
        (LINE, [queued(f"r-{n}", 0, TB // 40, link=OTHER_LINE) for n in range(7)], 37.0),
        # What can't go on at this hour takes no place.
        (
            LINE,
            [queued(f"r-{n}", 0, MUCH, link=replace(OTHER_LINE, mbit_per_s=0)) for n in range(8)],
            37.0,
        ),
        (Link(LinkId("lgwan"), ENDS, 0), [], None),
    ],
)
def test_a_copy_of_two_terabytes_is_foretold_as_the_queue_goes(
    link: Link, others: list[Queued], hours: float | None
) -> None:
    found = forecast(queued("first", 1, 2 * TB, member="uji", link=link), others, NOW)
    assert found.known
    if hours is None:
        assert found.arrives_at is None
        return
    assert found.hours == pytest.approx(hours, abs=0.1)


def test_behind_what_nobody_knows_the_length_of_nothing_is_foretold() -> None:
    first = queued("first", 1, 2 * TB, member="uji")
    before = [queued(f"r-{n}", 0, TB, link=None) for n in range(8)]
    found = forecast(first, before, NOW)
    assert (found.arrives_at, found.known) == (None, False)
    for said, unknown in zip(
        found.sentences(Lacking(2 * TB), "Kagoshima", "鹿児島"),
        ("is not known", "分かりません"),
        strict=True,
    ):
        assert unknown in said
    behind = [queued(f"r-{n}", 3, TB, link=None) for n in range(8)]
    assert forecast(first, behind, NOW).hours == pytest.approx(37, abs=0.1)


def test_only_where_hardly_anything_lies_there_it_is_called_a_first_copy() -> None:
    def said(left: Lacking) -> tuple[str, str]:
        copy = queued("first", 1, left.bytes, member="uji", at_most=left.at_most)
        return forecast(copy, [LIBRARY], NOW).sentences(left, "Kagoshima", "鹿児島")

    assert said(Lacking(2 * TB)) == (
        "Kagoshima's 2.0 TB first copy takes 41 h.",
        "鹿児島への最初のコピー(2.0 TB)には 41 時間かかります。",
    )
    assert said(Lacking(2 * TB, at_most=True)) == (
        "Kagoshima's first copy (at most 2.0 TB) takes at most 41 h.",
        "鹿児島への最初のコピー(最大 2.0 TB)には最大で 41 時間かかります。",
    )
    assert said(Lacking(TB // 100, first=False)) == (
        "What is left to copy to Kagoshima (10.0 GB) takes 0.2 h.",
        "鹿児島への残りのコピー(10.0 GB)には 0.2 時間かかります。",
    )
    assert said(Lacking(0, first=False)) == (
        "Nothing is left to copy to Kagoshima.",
        "鹿児島へのコピーはすべて終わっています。",
    )

"""Which points stay where: golden cases that an operator would agree with, and what never happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.backup.declaration import DisasterDeclaration, pinned
from control_plane.model.backup.ids import DeclarationId, RecoveryPointId
from control_plane.model.backup.policy import BackupPlace, BackupPolicy
from control_plane.model.backup.retention import HeldPoint, Retention, WhyKept, kept
from control_plane.model.ids import RegionId
from tests.backup.policies.samples import FAR, MEMBER, OFF, ON, UJI, copy, japan, nightly, policy

KYOTO = RegionId("kyoto")


def staying(found: Retention, place: BackupPlace = ON) -> list[str]:
    return [id for id in sorted(found.kept) if found.stays(id, place)]


def test_days_weeks_and_months_stay_as_grandfather_father_and_son() -> None:
    rules = policy(
        copy("day", 4, at="23:30"), copy("week", 3, at="23:30"), copy("month", 3, at="23:30")
    )
    points = nightly("2026-02-20 23:30", 70)  # to 30 April
    found = kept(rules, points, (), japan("2026-05-01 12:00"))
    assert staying(found) == [
        # February's first point is of the 20th: it stands for a month whose first day was missed.
        *("02-20", "03-01", "04-01"),
        *("04-12", "04-19", "04-26"),
        *("04-27", "04-28", "04-29", "04-30"),
    ]
    again = kept(rules, [p for p in points if p.id in found.kept], (), japan("2026-05-01 12:00"))
    assert again.kept == found.kept, "what stays goes on staying once the others are gone"


def test_five_generations_are_five_even_if_nothing_was_taken_for_a_year() -> None:
    rules = policy(copy("day", 5, at="23:30"))
    points = nightly("2025-03-01 23:30", 6)
    found = kept(rules, points, (), japan("2026-03-20 12:00"))
    assert staying(found) == ["03-02", "03-03", "03-04", "03-05", "03-06"]


def test_nothing_goes_before_what_replaces_it_has_come() -> None:
    rules = policy(copy("day", 2, ON, FAR, at="23:30"))
    there, not_there = nightly("2026-04-01 23:30", 2, ON, FAR), nightly("2026-04-03 23:30", 3, ON)
    found = kept(rules, [*there, *not_there], (), japan("2026-04-06 12:00"))
    assert staying(found, FAR) == ["04-01", "04-02", "04-04", "04-05"]
    assert found.wanted == {"04-04": {FAR}, "04-05": {FAR}}
    assert staying(found, ON) == ["04-04", "04-05"]

    fetched_by_member = policy(copy("day", 1, ON, at="23:30"), copy("week", 1, MEMBER, at="23:30"))
    found = kept(fetched_by_member, nightly("2026-04-05 23:30", 3), (), japan("2026-04-08 12:00"))
    assert staying(found, ON) == ["04-07"], "nobody waits for a member to fetch its own"


def test_a_declared_disaster_keeps_the_days_around_it_and_the_last_before_until_it_is_revoked() -> (
    None
):
    rules = policy(copy("day", 1, at="23:30"))
    points = nightly("2011-03-05 23:30", 20)
    now = japan("2011-04-11 09:00")
    quake = DisasterDeclaration(
        DeclarationId("d-1"),
        japan("2011-03-11 14:46"),
        timedelta(days=1),
        timedelta(days=2),
        "東日本大震災",
        "u-1",
        now,
        KYOTO,
    )
    around = ["03-09", "03-10", "03-11", "03-12"]
    found = kept(rules, points, pinned([quake], UJI, KYOTO, points), now)
    assert staying(found) == [*around, "03-24"]
    elsewhere = pinned([quake], UJI, RegionId("hokkaido"), points)
    over = pinned([quake.revoke(now, "u-2", "復旧完了")], UJI, KYOTO, points)
    assert not elsewhere
    assert not over


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
places = st.frozensets(st.sampled_from(BackupPlace))
points_of = st.lists(
    st.builds(
        HeldPoint,
        id=st.uuids().map(lambda each: RecoveryPointId(each.hex)),
        taken_at=st.integers(0, 24 * 200).map(lambda h: BEGIN + timedelta(hours=h)),
        whole=st.sampled_from([True, True, True, False]),
        proven_at=st.one_of(st.none(), st.just(BEGIN + timedelta(days=300))),
        places=places,
    ),
    max_size=25,
)
policies = st.lists(
    st.builds(
        lambda every, generations, at: copy(
            every, generations, *at, at=None if every == "hour" else "23:30"
        ),
        st.sampled_from(["hour", "day", "week", "month", "year"]),
        st.integers(1, 4),
        st.sets(st.sampled_from([ON, OFF, FAR, MEMBER]), min_size=1),
    ),
    min_size=1,
    max_size=4,
).map(lambda copies: policy(*copies))


@settings(max_examples=100, deadline=None)
@given(policies, points_of, st.data())
def test_the_newest_the_newest_proven_and_the_pinned_never_go(
    rules: BackupPolicy, points: list[HeldPoint], data: st.DataObject
) -> None:
    now = BEGIN + timedelta(hours=data.draw(st.integers(0, 24 * 220)))
    pins = {point.id for point in points if data.draw(st.booleans())}
    found = kept(rules, points, pins, now)
    past = sorted(
        (p for p in points if p.whole and p.taken_at <= now), key=lambda p: (p.taken_at, p.id)
    )
    proven = [p for p in past if p.proven_at is not None]
    never = {p.id for p in [*past[-1:], *proven[-1:]]}
    for place in BackupPlace:
        assert all(found.stays(id, place) for id in never | pins)
        # Of any other place than the present ones nothing is lost: as many stay there as did by rule.
        here = [p for p in past if place in p.places]
        asked = [c for c in rules.copies if place in c.places]
        for one in asked:
            slots = {one.slot_of(p.taken_at) for p in here}
            kept_slots = {one.slot_of(p.taken_at) for p in here if found.stays(p.id, place)}
            assert len(kept_slots) >= min(one.generations, len(slots))
    # Removing what went changes nothing about what stays, and whatever goes is replaced by a rule's choice.
    remaining = [
        HeldPoint(
            p.id,
            p.taken_at,
            whole=p.whole,
            proven_at=p.proven_at,
            places=frozenset(place for place in p.places if found.stays(p.id, place)),
        )
        for p in points
        if p.id in found.kept
    ]
    again = kept(rules, remaining, pins, now)
    assert set(again.kept) == set(found.kept)
    assert again.wanted == found.wanted


def test_a_clock_that_jumps_makes_nothing_go() -> None:
    rules = policy(copy("day", 3, at="23:30"))
    points = nightly("2026-04-01 23:30", 3)
    ahead = HeldPoint(RecoveryPointId("ahead"), japan("2031-04-01 23:30"), places=frozenset({ON}))
    for now in ("2026-04-04 09:00", "2026-03-01 09:00", "2036-04-04 09:00"):
        found = kept(rules, points, (), japan(now))
        assert staying(found) == ["04-01", "04-02", "04-03"], now
    found = kept(rules, [*points, ahead], (), japan("2026-04-04 09:00"))
    assert staying(found) == ["04-01", "04-02", "04-03", "ahead"]
    assert {each.why for each in found.kept[ahead.id]} == {WhyKept.LATER_THAN_NOW}

"""What was lent comes back: the right servers go, no more than needed, and nobody's guarantee."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.allotment import Capacity
from control_plane.model.ids import ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.units import NOTHING
from control_plane.placement import (
    Plan,
    apply,
    borrowed,
    check,
    holdings,
    plan_admission,
    plan_reclaim,
    without,
)
from control_plane.placement.holdings import capacity_of, used
from control_plane.placement.reclaim import has_room
from tests.placement.test_guarantees import (
    OWNERS,
    admitted,
    capacity,
    granted,
    guarantee,
    pool,
    server,
)

WHO_NEEDS_IT = "012033"
LENDER, SECOND = OWNERS


def lent(*servers: tuple[str, str, int, int]) -> Ledger:
    """Four hosts of 4 vCPU, so that 12 can be used: (name, owner, tier, vCPU) of each server."""
    ledger = replace(pool(4), guaranteed=dict.fromkeys(OWNERS, Capacity()))
    for name, owner, tier, vcpu in servers:
        ledger = admitted(ledger, replace(server(name, vcpu, 2 * vcpu, owner), tier=tier))
    return ledger


def test_the_least_important_goes_first_then_the_borrower_that_is_furthest_above_its_guarantee():
    ledger = lent(
        ("records", LENDER, 1, 2),
        ("library", LENDER, 5, 2),
        ("booking", SECOND, 5, 2),
        ("own-booking", SECOND, 5, 2),
        ("tax", SECOND, 2, 2),
    )
    ledger = granted(ledger, SECOND, capacity(1, 2))
    room = 2  # of the twelve that can be used
    taken = [plan_reclaim(ledger, capacity(room + more, 0)) for more in (2, 4, 6)]
    assert [one.servers for one in taken] == [
        ("booking",),
        ("booking", "library"),
        ("booking", "library", "own-booking"),
    ]
    assert all(one.enough for one in taken)
    assert taken[-1].freed == {LENDER: capacity(2, 4), SECOND: capacity(4, 8)}


def test_what_is_used_within_a_guarantee_stays_and_that_too_little_is_lent_is_said():
    ledger = granted(lent(("a", LENDER, 3, 4), ("b", LENDER, 4, 4)), LENDER, capacity(6, 12))
    answer = plan_reclaim(ledger, capacity(8, 8))
    assert (answer.servers, answer.enough) == ((), False)
    lesser = granted(ledger, LENDER, capacity(4, 8))
    assert plan_reclaim(lesser, capacity(8, 8)).servers == ("b",)


def test_tier_0_and_what_is_spared_stay_unless_somebody_says_otherwise():
    ledger = lent(("records", LENDER, 0, 4), ("tax", LENDER, 1, 4), ("library", LENDER, 5, 4))
    spared = {ServerId("library")}
    assert plan_reclaim(ledger, capacity(4, 8), spared=spared).servers == ("tax",)
    answer = plan_reclaim(ledger, capacity(8, 16), spared=spared)
    assert (answer.servers, answer.enough) == (("tax",), False)
    answer = plan_reclaim(ledger, capacity(8, 16), spared=spared, first_tier_too=True)
    assert (answer.servers, answer.enough) == (("tax", "records"), True)


def test_where_there_is_room_nothing_goes():
    assert plan_reclaim(lent(("a", LENDER, 3, 4)), capacity(8, 16)).servers == ()


def test_a_shelved_server_comes_back_by_admission_at_the_cost_of_its_owners_holdings():
    ledger = granted(lent(("a", LENDER, 3, 4)), LENDER, capacity(4, 8, disk=1))
    shelved = without(ledger, [ServerId("a")])
    assert used(shelved, LENDER) == capacity(0, 0, disk=1)
    held = granted(shelved, LENDER, capacity(4, 8, disk=1))
    assert sum(map(capacity_of, holdings(held)), Capacity()) == capacity(4, 8)
    back = replace(held.workloads[ServerId("a")], size=ledger.workloads[ServerId("a")].size)
    after = admitted(held, back)
    assert holdings(after) == []
    assert check(after) == ()
    assert used(after, LENDER) == capacity(4, 8, disk=1)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_a_reclaim_keeps_guarantees_and_order_and_takes_only_what_is_needed(data):
    ledger = pool(data.draw(st.integers(3, 5)), data.draw(st.integers(3, 6)), 12)
    ledger = replace(ledger, guaranteed=dict.fromkeys(OWNERS, Capacity()))
    for number in range(data.draw(st.integers(2, 9))):
        new = replace(
            server(
                f"s{number}",
                data.draw(st.integers(1, 3)),
                data.draw(st.integers(1, 5)),
                data.draw(st.sampled_from(OWNERS)),
            ),
            tier=data.draw(st.integers(0, 3)),
        )
        answer = plan_admission(ledger, [new], advise=False)
        ledger = apply(ledger, answer) if isinstance(answer, Plan) else ledger
    for owner in OWNERS:
        amount = capacity(data.draw(st.integers(0, 6)), data.draw(st.integers(0, 12)))
        ledger = guarantee(ledger, owner, amount) or ledger
    asked = capacity(data.draw(st.integers(0, 8)), data.draw(st.integers(0, 16)))
    answer = plan_reclaim(ledger, asked)

    assert not {ledger.workloads[name].tier for name in answer.servers} & {0}
    tiers = [ledger.workloads[name].tier for name in answer.servers]
    assert tiers == sorted(tiers, reverse=True)
    after = without(ledger, answer.servers)
    for owner in OWNERS:
        kept = used(ledger, owner).within(ledger.guaranteed.get(owner, Capacity()))
        assert kept.fits_in(used(after, owner))
        assert answer.freed.get(owner, Capacity()).fits_in(borrowed(ledger, owner))
    assert check(after) == ()
    if answer.enough:
        # As an independent planner finds and the independent checker confirms.
        fits = guarantee(after, WHO_NEEDS_IT, asked)
        assert fits is not None
        assert check(fits) == ()
        for name in answer.servers:
            fewer = [other for other in answer.servers if other != name]
            assert not has_room(without(ledger, fewer), asked), name
    else:
        left = [
            w
            for w in after.workloads.values()
            if not w.holding and w.tier > 0 and w.size != NOTHING
        ]
        assert not any(
            replace(capacity_of(w), disk=asked.disk).fits_in(borrowed(after, w.owner)) for w in left
        )

"""What a certificate names is where servers go, however the hosts of a failure are found dead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, Standing
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.placement import Refusal, check
from control_plane.reconcile.failure import course
from tests.placement.executor import domains, trouble
from tests.placement.falling import ONE_FAILURE, Fall, a_server
from tests.placement.pools import (
    RACKS,
    certified_for_wide_failures,
    host,
    host_domain,
    may_stand,
    rack,
    region,
    server,
)
from tests.thoroughness import examples

thorough = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

H0, H1, H2, H3 = map(HostId, ("h0", "h1", "h2", "h3"))
S1, S2 = ServerId("s1"), ServerId("s2")


def hosts_in(ledger: Ledger, domain: FailureDomain) -> list[HostId]:
    return sorted(h.id for h in ledger.hosts.values() if domain in h.domains)


def carrying(ledger: Ledger, hosts: list[HostId]) -> list[HostId]:
    return [h for h in hosts if any(h in w.hosts for w in ledger.workloads.values())]


def _felt(ledger: Ledger) -> list[FailureDomain]:
    """The failures that take several hosts with something on them, where there are such."""
    found = domains(ledger)
    return [d for d in found if len(carrying(ledger, hosts_in(ledger, d))) > 1] or found


def two_racks() -> Ledger:
    """Where the refuges of one host of r1 are in the way of those of the whole rack."""
    ledger = region(
        [
            host("h0", 16, 8, in_rack="r0"),
            host("h1", 16, 8, in_rack="r0"),
            host("h2", 16, 8, in_rack="r1"),
            host("h3", 16, 12, in_rack="r1"),
        ],
        [
            server("s0", 1, 4, on=["h0"], tier=2),
            server("s1", 1, 3, on=["h3"]),
            server("s2", 1, 6, on=["h2"]),
        ],
        {
            (host_domain("h0"), ServerId("s0")): H3,
            (rack("r0"), ServerId("s0")): H3,
            (host_domain("h3"), S1): H1,
            (rack("r1"), S1): H0,
            (host_domain("h2"), S2): H1,
            (rack("r1"), S2): H1,
        },
        promised=RACKS,
    )
    assert check(ledger) == ()
    assert trouble(ledger) == []
    return ledger


def where(fall: Fall) -> dict[ServerId, tuple[HostId, ...]]:
    return {name: w.hosts for name, w in fall.ledger.workloads.items() if name in (S1, S2)}


def test_a_rack_that_dies_at_once_is_restarted_at_the_racks_refuges():
    fall = Fall(two_racks())
    fall.is_fenced(H2, H3)
    fall.evacuate()
    assert where(fall) == {S1: (H0,), S2: (H1,)}
    assert fall.by == {S1: "rack:r1", S2: "rack:r1"}


@pytest.mark.parametrize(("first", "then"), [(H2, H3), (H3, H2)])
@pytest.mark.parametrize("certified_between", [False, True])
@pytest.mark.parametrize("first_is_back", [False, True])
def test_hosts_of_a_rack_that_are_fenced_one_after_the_other_follow_the_racks_refuges(
    first, then, certified_between, first_is_back
):
    fall = Fall(two_racks())
    fall.falls_silent(H2, H3)
    fall.is_fenced(first)
    fall.evacuate()
    if certified_between:
        fall.certify()
    if first_is_back:
        fall.is_back(first)
    fall.passes(2 * ONE_FAILURE)
    fall.is_fenced(then)
    fall.evacuate()
    assert where(fall) == {S1: (H0,), S2: (H1,)}


def test_a_host_that_dies_alone_follows_its_own_refuges():
    fall = Fall(two_racks())
    fall.is_fenced(H3)
    fall.evacuate()
    assert where(fall) == {S1: (H1,), S2: (H2,)}
    assert fall.by == {S1: "host:h3"}


def test_a_host_that_has_long_waited_for_a_word_makes_no_rack_of_another_ones_death():
    fall = Fall(two_racks())
    fall.falls_silent(H2)
    fall.passes(ONE_FAILURE + 1)
    fall.is_fenced(H3)
    fall.evacuate()
    # The refuges of both their own failures do not go together, those of the rack do.
    assert where(fall) == {S1: (H0,), S2: (H2,)}
    roomy = Fall(two_racks())
    roomy.falls_silent(H0)
    roomy.passes(ONE_FAILURE + 1)
    roomy.is_fenced(H3)
    roomy.evacuate()
    assert roomy.by == {S1: "host:h3"}


def test_a_second_host_that_fails_once_the_first_is_restarted_elsewhere_waits_only_for_want_of_room():
    fall = Fall(two_racks())
    fall.is_fenced(H3)
    fall.evacuate()
    assert {r.workload for r in fall.certify().uncovered if r.failure == rack("r1")} == {S2}
    fall.falls_silent(H2)
    fall.certify()
    fall.is_fenced(H2)
    fall.evacuate()
    assert fall.stranded == [S2]
    assert fall.trouble() == []


def test_room_that_a_silent_hosts_servers_are_promised_is_left_to_them_by_higher_tiers_alone():
    """Of two that look for room without a refuge, only the one that is recovered first may take it."""
    for tier, expected in ((1, []), (3, [ServerId("x")])):
        ledger = region(
            [host("a", in_rack="r0"), host("b", in_rack="r1"), host("c", in_rack="r2")],
            [
                server("x", 8, 8192, on=["a"], tier=tier),
                server("y", 8, 8192, on=["b"], tier=2),
            ],
            {
                (host_domain("b"), ServerId("y")): HostId("c"),
                (rack("r1"), ServerId("y")): HostId("c"),
            },
            promised=RACKS,
        )
        fall = Fall(ledger)
        fall.falls_silent(HostId("b"))
        fall.is_fenced(HostId("a"))
        fall.evacuate()
        assert fall.stranded == expected


def test_a_rack_that_dies_while_a_host_elsewhere_dies_of_something_else_keeps_its_own_refuges():
    ledger = two_racks()
    others = [host("h4", 16, 8, in_rack="r2"), host("h5", 16, 8, in_rack="r3")]
    own = {(d, ServerId("s4")): HostId("h5") for d in (host_domain("h4"), rack("r2"))}
    ledger = replace(
        ledger,
        hosts={**ledger.hosts, **{h.id: h for h in others}},
        workloads={**ledger.workloads, ServerId("s4"): server("s4", 1, 5, on=["h4"], tier=0)},
        certificate=Certificate({**ledger.certificate.refuges, **own}),
    )
    assert check(ledger) == ()
    fall = Fall(ledger)
    fall.falls_silent(H2, H3)
    fall.is_fenced(H3, HostId("h4"))
    fall.evacuate()
    fall.is_back(H3)
    fall.is_fenced(H2)
    fall.evacuate()
    assert fall.by == {S1: "rack:r1", ServerId("s4"): "host:h4", S2: fall.by[S2]}
    assert where(fall) == {S1: (H0,), S2: (H1,)}
    assert fall.ledger.workloads[ServerId("s4")].hosts == ("h5",)


@pytest.mark.parametrize(("tier", "expected"), [(1, HostId("c")), (2, None), (3, None)])
def test_who_has_waited_for_room_since_an_earlier_failure_leaves_that_of_silent_hosts_servers(
    tier, expected
):
    ledger = region(
        [host("b"), host("c")],
        [server("x", 8, 8192, tier=tier), server("y", 8, 8192, on=["b"], tier=2)],
        {(host_domain("b"), ServerId("y")): HostId("c")},
    )
    fall = Fall(ledger)
    fall.falls_silent(HostId("b"))
    taken = course(fall.ledger, fall.lost, ONE_FAILURE)
    waiting = a_server(replace(ledger.workloads[ServerId("x")], hosts=(HostId("b"),)))
    ((_, place),) = taken.places([waiting])
    assert (None if isinstance(place.answer, Refusal) else place.answer) == expected


@pytest.mark.long
@thorough
@given(certified_for_wide_failures(), st.data())
def test_whatever_promised_failure_strikes_a_certified_region_its_own_refuges_are_taken(
    ledger, data
):
    """Its hosts are silent, then fenced together or one after the other, in any order; their servers
    are placed in parts; meanwhile the region may be certified, and hosts that are empty come back."""
    failure = data.draw(st.sampled_from(_felt(ledger)))
    dying = hosts_in(ledger, failure)
    full = carrying(ledger, dying)
    fall = Fall(ledger)
    fall.falls_silent(*dying)
    left = data.draw(st.permutations(full))
    while left:
        at_once = data.draw(st.integers(1, len(left)))
        fall.is_fenced(*left[:at_once])
        left = left[at_once:]
        fall.evacuate(most=data.draw(st.sampled_from([1, 2, 200])))
        if data.draw(st.booleans()):
            fall.certify()
        if data.draw(st.booleans()):
            fall.is_back(*data.draw(st.sets(st.sampled_from(sorted(fall.dead)))))
        fall.passes(data.draw(st.sampled_from([8, 3600])))
    assert fall.stranded == []
    assert fall.trouble() == []
    assert None not in fall.by.values()
    # Refuges on hosts that are lost as well, such as a host's in its own rack, can't be taken.
    named = ledger.certificate.refuges
    refuges = {
        d: {s: named[d, s] for s in fall.by}
        for d in domains(ledger)
        if set(full) <= set(hosts_in(ledger, d))
    }
    usable = {d: of for d, of in refuges.items() if not set(of.values()) & set(dying)}
    taken = {s: fall.ledger.workloads[s].hosts[0] for s in fall.by}
    followed = [len(hosts_in(ledger, d)) for d, of in usable.items() if of == taken]
    assert min(followed) == min(len(hosts_in(ledger, d)) for d in usable)


@pytest.mark.long
@thorough
@given(certified_for_wide_failures(), st.data())
def test_a_region_that_is_certified_anew_between_two_failures_of_one_rack_strands_nobody(
    ledger, data
):
    """The first host goes alone, to its own refuges, before anything is heard of the others."""
    failure = data.draw(st.sampled_from(_felt(ledger)))
    full = carrying(ledger, hosts_in(ledger, failure))
    fall = Fall(ledger)
    for number, each in enumerate(data.draw(st.permutations(full))):
        if number and fall.certify().uncovered:
            return
        fall.falls_silent(each)
        fall.is_fenced(each)
        fall.evacuate()
        assert fall.stranded == []
        assert fall.trouble() == []
        fall.passes(8)


@pytest.mark.long
@thorough
@given(certified_for_wide_failures(), st.data())
def test_whatever_hosts_die_nobody_is_crowded_and_nobody_waits_while_there_is_room(ledger, data):
    names = sorted(ledger.hosts)
    dying = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    fall = Fall(ledger)
    fall.falls_silent(*data.draw(st.sets(st.sampled_from(dying))))
    cut = data.draw(st.integers(0, len(dying)))
    for some in (dying[:cut], dying[cut:]):
        fall.is_fenced(*some)
        fall.evacuate(most=data.draw(st.sampled_from([2, 200])))
        fall.passes(data.draw(st.sampled_from([8, 3600])))
        assert fall.trouble() == []
    for name in fall.stranded:
        waiting = fall.ledger.workloads[name]
        assert waiting.hosts == ()
        assert not [
            there.id
            for there in fall.ledger.hosts.values()
            if there.standing is Standing.OPEN and may_stand(fall.ledger, waiting, there)
        ]


@pytest.mark.parametrize("kind", [DomainKind.POWER, DomainKind.SITE, DomainKind.HAZARD])
def test_of_the_failures_that_would_explain_it_the_narrowest_is_executed_that_can_be(kind):
    """All hosts of a rack are lost; the wider failure has refuges further away. Should the rack's
    refuge be lost as well, those of the wider one are left."""
    wide = FailureDomain(kind, "w")
    ledger = region(
        [
            host("a", in_rack="r0", domains=[wide]),
            host("b", in_rack="r0", domains=[wide]),
            host("c", in_rack="r1", domains=[wide]),
            host("d", in_rack="r2"),
        ],
        [server("s", on=["a"]), server("t", on=["b"])],
        {
            **{(host_domain(h), ServerId(s)): HostId("c") for h, s in (("a", "s"), ("b", "t"))},
            **{(rack("r0"), ServerId(s)): HostId("c") for s in "st"},
            **{(wide, ServerId(s)): HostId("d") for s in "st"},
        },
        promised=frozenset({*RACKS, kind}),
    )
    assert check(ledger) == ()
    fall = Fall(ledger)
    fall.is_fenced(HostId("a"), HostId("b"))
    fall.evacuate()
    assert fall.by == {"s": "rack:r0", "t": "rack:r0"}
    wider = Fall(ledger)
    wider.falls_silent(HostId("c"))
    wider.is_fenced(HostId("a"), HostId("b"))
    wider.evacuate()
    assert wider.by == {"s": f"{kind}:w", "t": f"{kind}:w"}

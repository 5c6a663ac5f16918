"""A migration keeps every promise: on the way, when it arrives, and when it is given up."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from control_plane.model.errors import YuiError
from control_plane.model.ledger import Certificate, Standing
from control_plane.placement import Plan, Proof, Refusal, apply, check, plan_move, recertify
from tests.placement import pools
from tests.placement.executor import trouble
from tests.placement.exhaustive import movable
from tests.thoroughness import examples

thorough = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(20),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@st.composite
def moves(draw):
    """A certified region and one of its servers, half of the time on a host that is drained."""
    ledger = draw(pools.certified_regions())
    assume(ledger.workloads)
    name = draw(st.sampled_from(sorted(ledger.workloads)))
    if draw(st.booleans()):
        source = ledger.hosts[ledger.workloads[name].hosts[0]]
        ledger = pools.with_host(ledger, replace(source, standing=Standing.CLOSED))
        answer = recertify(ledger)
        assume(not answer.uncovered)
        ledger = replace(ledger, certificate=Certificate(answer.refuges))
    return ledger, name


@thorough
@given(moves())
def test_a_move_is_granted_exactly_when_trying_everything_finds_a_way(move):
    ledger, name = move
    elsewhere = [host for host in sorted(ledger.hosts) if host not in ledger.workloads[name].hosts]
    granted = set()
    for target in elsewhere:
        answer = plan_move(ledger, name, target=target, advise=False)
        if isinstance(answer, Plan):
            granted.add(target)
        else:
            assert answer.proof is Proof.PROVED_IMPOSSIBLE
    assert granted == {target for target in elsewhere if movable(ledger, name, target)}
    answer = plan_move(ledger, name, advise=False)
    assert isinstance(answer, Plan) == bool(granted)


@thorough
@given(moves())
def test_the_certificate_holds_during_the_move_and_however_it_ends(move):
    ledger, name = move
    plan = plan_move(ledger, name, advise=False)
    if isinstance(plan, Plan):
        during = apply(ledger, plan)
        assert during.workloads[name].hosts == (*ledger.workloads[name].hosts, plan.hosts[name])
        for after in (during, pools.arrived(during, name), pools.abandoned(during, name)):
            assert check(after) == ()
            assert trouble(after) == []


@thorough
@given(moves())
def test_only_the_server_that_was_asked_for_moves(move):
    ledger, name = move
    plan = plan_move(ledger, name, advise=False)
    if isinstance(plan, Plan):
        assert set(plan.hosts) == set(plan.workloads) == {name}
        assert {*ledger.workloads[name].hosts, plan.hosts[name]} <= plan.touched


def test_a_host_can_be_emptied_server_by_server_with_the_promise_kept_at_every_step():
    hosts = [pools.host(f"h{n}", 8, 8, standing=Standing.OPEN) for n in range(5)]
    servers = [pools.server(f"s{n:02}", 1, 1, on=[f"h{n % 5}"]) for n in range(22)]
    ledger = pools.certified(pools.region(hosts, servers))
    closed = replace(ledger.hosts["h0"], standing=Standing.CLOSED)
    ledger = pools.certified(pools.with_host(ledger, closed))
    for name in sorted(n for n, w in ledger.workloads.items() if w.hosts == ("h0",)):
        plan = plan_move(ledger, name)
        assert isinstance(plan, Plan), plan.explain_en()
        ledger = apply(ledger, plan)
        assert check(ledger) == ()
        ledger = pools.arrived(ledger, name)
        assert check(ledger) == ()
    assert not any("h0" in w.hosts for w in ledger.workloads.values())


def test_while_it_moves_a_server_needs_no_more_room_than_on_its_two_hosts():
    """Its source's death finds it at the target, whose room it holds already."""
    hosts = [pools.host("a", 4, 4), pools.host("b", 4, 4)]
    ledger = pools.certified(pools.region(hosts, [pools.server("s", 4, 4, on=["a"])]))
    plan = plan_move(ledger, "s")
    assert isinstance(plan, Plan)
    after = apply(ledger, plan)
    assert after.certificate.refuges == {
        (pools.host_domain("a"), "s"): "b",
        (pools.host_domain("b"), "s"): "a",
    }


def test_off_a_drained_host_a_server_moves_only_with_a_refuge_for_the_time_after():
    """The drained host still holds it on the way, and will hold nothing afterwards."""
    hosts = [pools.host("a", 4, 4, standing=Standing.CLOSED), pools.host("b", 4, 4)]
    ledger = pools.certified(pools.region(hosts, [pools.server("s", 4, 4, on=["a"])]))
    answer = plan_move(ledger, "s")
    assert isinstance(answer, Refusal)
    assert answer.failure == pools.host_domain("b")


def test_a_refusal_of_a_named_target_says_what_that_target_lacks():
    hosts = [pools.host("a", 4, 4096), pools.host("b", 8, 2048), pools.host("c", 8, 8192)]
    ledger = pools.certified(pools.region(hosts, [pools.server("s", 2, 4096, on=["a"])]))
    answer = plan_move(ledger, "s", target="b")
    assert isinstance(answer, Refusal)
    assert (answer.failure, answer.nearest, answer.resource) == (None, "b", "memory")
    assert (answer.shortfall, answer.unit) == (2048, "MiB")


@pytest.mark.parametrize(
    ("name", "target", "type"),
    [
        ("nobody", None, "server-not-found"),
        ("s", "nowhere", "host-not-found"),
        ("s", "a", "server-already-there"),
        ("moving", None, "server-not-movable"),
        ("stranded", None, "server-not-movable"),
    ],
)
def test_a_move_that_makes_no_sense_is_told_in_one_sentence(name, target, type):
    servers = [
        pools.server("s", on=["a"]),
        pools.server("moving", on=["a", "b"]),
        pools.server("stranded"),
    ]
    ledger = pools.region([pools.host("a"), pools.host("b")], servers)
    with pytest.raises(YuiError) as caught:
        plan_move(ledger, name, target=target)
    assert caught.value.type == type
    assert (target or name) in caught.value.en
    assert (target or name) in caught.value.ja

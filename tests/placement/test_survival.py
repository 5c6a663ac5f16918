"""A certificate is worth what happens when a domain really dies."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.ledger import Certificate, Ledger
from control_plane.placement import Plan, Proof, apply, check, plan_admission, recertify
from tests.placement import pools
from tests.placement.executor import domains, trouble
from tests.placement.exhaustive import coverable
from tests.thoroughness import examples

thorough = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def renewed(ledger: Ledger) -> Ledger:
    return replace(ledger, certificate=Certificate(recertify(ledger).refuges))


@thorough
@given(pools.loaded_regions(migrating=True))
def test_a_region_certified_without_exception_survives_the_death_of_every_domain(ledger):
    if not recertify(ledger).uncovered:
        assert trouble(renewed(ledger)) == []


@thorough
@given(pools.loaded_regions(migrating=True))
def test_certification_leaves_somebody_uncovered_only_where_no_certificate_exists(ledger):
    hopeless = {domain for domain in domains(ledger) if not coverable(ledger, domain)}
    answer = recertify(ledger)
    assert {refusal.failure for refusal in answer.uncovered} == hopeless
    assert {refusal.proof for refusal in answer.uncovered} <= {Proof.PROVED_IMPOSSIBLE}
    without = {(refusal.failure, refusal.workload) for refusal in answer.uncovered}
    assert without == {(found.domain, found.workload) for found in check(renewed(ledger))}


@thorough
@given(pools.loaded_regions(migrating=True), st.data())
def test_the_checker_finds_something_exactly_when_carrying_it_out_goes_wrong(ledger, data):
    """With refuges set at random, mostly wrong ones."""
    refuges = dict(recertify(ledger).refuges)
    for key in sorted(refuges):
        if data.draw(st.integers(0, 3)) == 0:
            refuges[key] = data.draw(st.sampled_from(sorted(ledger.hosts)))
    ledger = replace(ledger, certificate=Certificate(refuges))
    assert bool(check(ledger)) == bool(trouble(ledger))


@thorough
@given(pools.loaded_regions(servers=6))
def test_where_not_all_can_be_covered_the_most_important_are(ledger):
    """Nobody of a lower tier is left out while the same refuges without one of a higher tier would
    have held it too."""
    answer = recertify(ledger)
    for refusal in answer.uncovered:
        left_out = ledger.workloads[refusal.workload]
        for (domain, name), refuge in answer.refuges.items():
            covered = ledger.workloads[name]
            if domain != refusal.failure or covered.tier <= left_out.tier:
                continue
            instead = {k: v for k, v in answer.refuges.items() if k != (domain, name)}
            instead[domain, left_out.id] = refuge
            swapped = check(replace(ledger, certificate=Certificate(instead)))
            assert any(v.domain == domain and v.workload == left_out.id for v in swapped)


@thorough
@given(pools.certified_regions())
def test_certifying_again_changes_nothing(ledger):
    assert recertify(ledger).refuges == ledger.certificate.refuges


@pytest.mark.long
@thorough
@given(pools.loaded_regions(migrating=True), st.randoms(use_true_random=False))
def test_the_same_region_is_certified_the_same_way_in_whatever_order_it_is_told(ledger, random):
    def shuffled(items):
        pairs = list(items.items())
        random.shuffle(pairs)
        return dict(pairs)

    again = replace(
        ledger,
        hosts=shuffled(ledger.hosts),
        workloads=shuffled(ledger.workloads),
        storage=shuffled(ledger.storage),
    )
    assert recertify(again) == recertify(ledger)


def test_a_refuge_on_a_host_that_is_being_drained_is_given_up_for_an_open_one():
    ledger = pools.certified(
        pools.region(
            [pools.host("a"), pools.host("b"), pools.host("c")], [pools.server("s", on=["a"])]
        )
    )
    ((key, first),) = ledger.certificate.refuges.items()
    closed = replace(ledger.hosts[first], standing=pools.Standing.CLOSED)
    answer = recertify(pools.with_host(ledger, closed))
    assert answer.uncovered == ()
    assert set(answer.refuges) == {key}
    assert answer.refuges[key] not in ("a", first)


def test_a_region_that_promises_nothing_needs_no_refuges():
    ledger = pools.region([pools.host("a")], [pools.server("s", on=["a"])], promised=frozenset())
    assert check(ledger) == ()
    assert recertify(ledger).refuges == {}


def test_promising_racks_promises_hosts_too():
    ledger = pools.region(
        [pools.host("a", in_rack="r1"), pools.host("b", in_rack="r2")],
        [pools.server("s", on=["a"])],
        promised=frozenset({pools.DomainKind.RACK}),
    )
    assert set(recertify(ledger).refuges) == {
        (pools.host_domain("a"), "s"),
        (pools.rack("r1"), "s"),
    }


def test_the_room_of_an_evacuated_host_stays_reserved_until_its_servers_have_left():
    """A fenced host's servers are about to restart at their refuges: those stay theirs."""
    ledger = pools.certified(
        pools.region([pools.host("a"), pools.host("b")], [pools.server("s", on=["a"])])
    )
    dead = replace(ledger.hosts["a"], standing=pools.Standing.GONE)
    assert recertify(pools.with_host(ledger, dead)).refuges == ledger.certificate.refuges


def test_in_a_large_region_that_is_too_full_exactly_what_is_uncovered_is_told():
    """Forty hosts with less than one host's worth to spare."""
    hosts = [pools.host(f"h{n:02}", 32, 32) for n in range(40)]
    servers = [
        pools.server(f"s{n:03}", 1 + n % 3, 1 + n % 4, tier=n % 3, group=f"g{n // 2}")
        for n in range(500)
    ]
    empty = pools.region(hosts, servers, promised=frozenset())
    plan = plan_admission(empty, servers)
    assert isinstance(plan, Plan)
    ledger = replace(apply(empty, plan), promised=pools.HOST)
    answer = recertify(ledger)
    without = {(refusal.failure, refusal.workload) for refusal in answer.uncovered}
    assert 0 < len(without) < 500
    assert without == {(found.domain, found.workload) for found in check(renewed(ledger))}

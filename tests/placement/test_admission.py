"""Admission: all or none, every promise kept, and no room refused that is there."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.ledger import Certificate, Ledger
from control_plane.model.pool import Policy, Zone
from control_plane.placement import (
    Plan,
    Proof,
    Refusal,
    apply,
    check,
    plan_admission,
    recertify,
)
from tests.placement import pools
from tests.placement.executor import trouble
from tests.placement.exhaustive import admissible
from tests.thoroughness import examples

thorough = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def requests(draw, most: int = 2) -> list[pools.LedgerWorkload]:
    count = draw(st.integers(1, most))
    return [draw(pools.servers_to_place(f"new{n}", storage=False)) for n in range(count)]


def admitted(ledger: Ledger, new: list[pools.LedgerWorkload]) -> Plan:
    plan = plan_admission(ledger, new)
    assert isinstance(plan, Plan), plan.explain_en()
    return plan


@thorough
@given(pools.certified_regions(), requests())
def test_an_admission_is_granted_exactly_when_trying_everything_finds_a_way(ledger, new):
    answer = plan_admission(ledger, new, advise=False)
    assert isinstance(answer, Plan) == admissible(ledger, new)
    if isinstance(answer, Refusal):
        assert answer.proof is Proof.PROVED_IMPOSSIBLE


@thorough
@given(pools.certified_regions(most=4, servers=6), requests(most=3))
def test_three_at_once_are_granted_exactly_when_trying_everything_finds_a_way(ledger, new):
    answer = plan_admission(ledger, new, advise=False)
    assert isinstance(answer, Plan) == admissible(ledger, new)


@thorough
@given(pools.certified_regions(), requests())
def test_every_admission_leaves_a_valid_certificate_that_survives_every_death(ledger, new):
    plan = plan_admission(ledger, new, advise=False)
    if isinstance(plan, Plan):
        after = apply(ledger, plan)
        assert check(after) == ()
        assert trouble(after) == []


@thorough
@given(pools.certified_regions(), requests())
def test_no_server_that_runs_is_moved_by_an_admission(ledger, new):
    plan = plan_admission(ledger, new, advise=False)
    if isinstance(plan, Plan):
        after = apply(ledger, plan)
        assert {n: after.workloads[n] for n in ledger.workloads} == ledger.workloads
        assert set(plan.hosts) == set(plan.storage) == {w.id for w in new}


@thorough
@given(pools.loaded_regions(), requests())
def test_an_admission_takes_no_refuge_away_where_not_everybody_has_one(ledger, new):
    ledger = replace(ledger, certificate=Certificate(recertify(ledger).refuges))
    plan = plan_admission(ledger, new, advise=False)
    if isinstance(plan, Plan):
        already = {(v.domain, v.workload) for v in check(ledger)}
        assert {(v.domain, v.workload) for v in check(apply(ledger, plan))} <= already


@thorough
@given(pools.certified_regions(), requests())
def test_every_host_whose_load_or_reserve_changes_is_named(ledger, new):
    plan = plan_admission(ledger, new, advise=False)
    if isinstance(plan, Refusal):
        return

    def roles(of: Ledger, host: str) -> tuple[object, object]:
        load = {w.id for w in of.workloads.values() if host in w.hosts}
        return load, {key for key, refuge in of.certificate.refuges.items() if refuge == host}

    after = apply(ledger, plan)
    assert plan.touched == {h for h in ledger.hosts if roles(ledger, h) != roles(after, h)}


@thorough
@given(pools.certified_regions(), requests(), st.randoms(use_true_random=False))
def test_the_same_question_has_the_same_answer_in_whatever_order_it_is_put(ledger, new, random):
    def shuffled(items):
        pairs = list(items.items())
        random.shuffle(pairs)
        return dict(pairs)

    again = replace(
        ledger,
        hosts=shuffled(ledger.hosts),
        workloads=shuffled(ledger.workloads),
        certificate=Certificate(shuffled(ledger.certificate.refuges)),
    )
    turned = random.sample(new, len(new))
    assert plan_admission(again, turned) == plan_admission(ledger, new)


@pytest.mark.parametrize("policy", list(Policy), ids=str)
def test_keeping_the_promise_costs_one_host_and_no_more(policy):
    """Ten hosts of eight: nine hosts' worth is handed out, one by one, and not a server more."""
    hosts = [pools.host(f"h{n}", 8, 8) for n in range(10)]
    ledger = pools.region(hosts, policy=policy)
    for number in range(72):
        plan = admitted(ledger, [pools.server(f"s{number:02}", 1, 1, storage=None)])
        ledger = apply(ledger, plan)
    assert check(ledger) == ()
    refusal = plan_admission(ledger, [pools.server("one-more", 1, 1, storage=None)])
    assert isinstance(refusal, Refusal)
    assert refusal.proof is Proof.PROVED_IMPOSSIBLE


def test_two_hundred_are_admitted_at_once():
    hosts = [pools.host(f"h{n:02}", 64, 65536, in_rack=f"r{n % 5}") for n in range(20)]
    ledger = pools.region(hosts, promised=pools.RACKS)
    new = [
        pools.server(f"s{n:03}", 1 + n % 4, 1024 * (1 + n % 5), storage=None, group=f"g{n // 2}")
        for n in range(200)
    ]
    after = apply(ledger, admitted(ledger, new))
    assert check(after) == ()
    assert len(after.workloads) == 200


def test_one_that_does_not_fit_keeps_all_the_others_out():
    ledger = pools.region([pools.host("a"), pools.host("b")])
    new = [pools.server("small", storage=None), pools.server("giant", 9, 1024, storage=None)]
    refusal = plan_admission(ledger, new)
    assert isinstance(refusal, Refusal)
    assert refusal.workload == "giant"


@pytest.mark.parametrize(("policy", "hosts_used"), [(Policy.SPREAD, 4), (Policy.PACK, 1)], ids=str)
def test_servers_are_spread_or_packed_as_the_region_wants_it(policy, hosts_used):
    ledger = pools.region([pools.host(f"h{n}") for n in range(4)], policy=policy)
    plan = admitted(ledger, [pools.server(f"s{n}", storage=None) for n in range(4)])
    assert len(set(plan.hosts.values())) == hosts_used


def test_members_of_a_group_share_neither_a_host_nor_a_refuge_nor_a_rack_if_they_can():
    hosts = [pools.host(f"h{n}", in_rack=f"r{n // 2}") for n in range(8)]
    ledger = pools.region(hosts, promised=pools.RACKS)
    new = [pools.server(f"s{n}", storage=None, group="database") for n in range(3)]
    after = apply(ledger, admitted(ledger, new))
    assert check(after) == ()
    racks = {d for w in after.workloads.values() for d in after.hosts[w.hosts[0]].domains}
    assert len([d for d in racks if d.kind is pools.DomainKind.RACK]) == 3


def test_a_server_goes_where_its_zone_its_traits_and_its_data_may_be():
    right = {"zones": [Zone.MYNUMBER], "traits": ["gpu"], "site": "site-a"}
    hosts = [
        pools.host("right-1", **right),
        pools.host("right-2", **right),
        pools.host("wrong-zone", **{**right, "zones": [Zone.INTERNET]}),
        pools.host("wrong-site", **{**right, "site": "site-b"}),
        pools.host("no-gpu", **{**right, "traits": []}),
        pools.host("closed", **right, standing=pools.Standing.CLOSED),
    ]
    new = pools.server(
        "s", storage=None, zone=Zone.MYNUMBER, traits=["gpu"], sites=["site-a", "site-c"]
    )
    plan = admitted(pools.region(hosts), [new])
    assert {plan.hosts["s"], *plan.refuges.values()} == {"right-1", "right-2"}


def test_a_new_disk_goes_to_a_pool_with_room_that_host_and_refuge_both_reach():
    hosts = [
        pools.host("a", storage=["full", "left", "shared"]),
        pools.host("b", storage=["full", "right", "shared"]),
    ]
    ledger = pools.region(hosts, pools={"full": 5, "left": 900, "right": 900, "shared": 100})
    plan = admitted(ledger, [pools.server("s", storage=None, disk=50)])
    assert plan.storage == {"s": "shared"}
    assert apply(ledger, plan).storage["shared"].used == 50


def test_disks_that_arrive_together_fill_one_pool_after_the_other():
    hosts = [pools.host("a", storage=["x", "y"]), pools.host("b", storage=["x", "y"])]
    ledger = pools.region(hosts, pools={"x": 100, "y": 100})
    plan = admitted(ledger, [pools.server(f"s{n}", storage=None, disk=60) for n in range(2)])
    assert sorted(plan.storage.values()) == ["x", "y"]


def test_a_stranded_server_keeps_the_pool_that_holds_its_disk():
    hosts = [pools.host("a", storage=["x"]), pools.host("b", storage=["x", "y"])]
    hosts.append(pools.host("c", storage=["y"]))
    stranded = pools.server("s", storage="y", disk=100)
    ledger = pools.region(hosts, [stranded], pools={"x": 500, "y": 100})
    plan = admitted(ledger, [stranded])
    assert plan.storage == {"s": "y"}
    assert {plan.hosts["s"], *plan.refuges.values()} == {"b", "c"}
    assert apply(ledger, plan).storage == ledger.storage


def test_refuges_make_way_for_a_new_server_while_every_server_stays():
    """Two hosts' refuges stand on the only host with room for the large newcomer."""
    hosts = [pools.host("a", 8, 8), pools.host("b", 8, 8), pools.host("c", 8, 8)]
    refuges = {
        (pools.host_domain("a"), "s1"): "c",
        (pools.host_domain("b"), "s2"): "c",
    }
    servers = [pools.server("s1", 3, 3, on=["a"]), pools.server("s2", 3, 3, on=["b"])]
    ledger = pools.region(hosts, servers, refuges)
    assert check(ledger) == ()
    plan = admitted(ledger, [pools.server("new", 5, 5, storage=None)])
    assert check(apply(ledger, plan)) == ()
    assert plan.hosts == {"new": "c"}


def test_a_server_without_refuge_takes_a_free_one_before_a_newcomer_does():
    hosts = [pools.host("a", 4, 4), pools.host("b", 4, 4), pools.host("c", 4, 4)]
    ledger = pools.region(hosts, [pools.server("s", 2, 2, on=["a"])])
    assert check(ledger) != ()
    after = apply(ledger, admitted(ledger, [pools.server("new", 2, 2, storage=None)]))
    assert check(after) == ()


def test_where_nothing_is_promised_the_last_room_is_given_away():
    hosts = [pools.host("a", 4, 4), pools.host("b", 4, 4)]
    new = [pools.server(f"s{n}", 4, 4, storage=None) for n in range(2)]
    assert isinstance(plan_admission(pools.region(hosts), new), Refusal)
    plan = admitted(pools.region(hosts, promised=frozenset()), new)
    assert plan.refuges == {}
    one_more = pools.region(
        hosts, promised=frozenset(), servers=[pools.server("full", 4, 4, on=["a"])]
    )
    assert isinstance(plan_admission(one_more, new), Refusal)


@pytest.mark.parametrize(
    "new",
    [
        [pools.server("s", storage=None), pools.server("s", storage=None)],
        [pools.server("placed", on=["a"])],
        [pools.server("known", storage=None)],
    ],
    ids=["named twice", "says that it holds a host", "holds a host in the ledger"],
)
def test_what_is_no_newcomer_is_not_admitted(new):
    ledger = pools.region([pools.host("a"), pools.host("b")], [pools.server("known", on=["a"])])
    with pytest.raises(ValueError, match=r"twice|already"):
        plan_admission(ledger, new)

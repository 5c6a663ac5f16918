"""A refusal says which failure, which server, which resource, how much, and what would help."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from control_plane.model.ids import HostId
from control_plane.model.ledger import Standing
from control_plane.model.pool import DomainKind, FailureDomain, Zone
from control_plane.placement import (
    AddHosts,
    Lack,
    MoveServer,
    Plan,
    Proof,
    Refusal,
    Role,
    ShrinkServer,
    apply,
    plan_admission,
    plan_move,
    recertify,
)
from tests.placement import pools
from tests.placement.test_admission import requests
from tests.thoroughness import examples

thorough = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


A = pools.host_domain("a")


def refused(ledger, *new) -> Refusal:
    answer = plan_admission(ledger, list(new))
    assert isinstance(answer, Refusal)
    return answer


def with_more(ledger, like, count):
    for number in range(count):
        name = f"another-{number}"
        domains = {d for d in ledger.hosts[like].domains if d.kind is not DomainKind.HOST}
        domains.add(FailureDomain(DomainKind.HOST, name))
        copy = replace(ledger.hosts[like], id=HostId(name), domains=frozenset(domains))
        ledger = pools.with_host(ledger, copy)
    return ledger


@thorough
@given(pools.certified_regions(), requests())
def test_every_remedy_works_for_whoever_follows_it(ledger, new):
    answer = plan_admission(ledger, new)
    if isinstance(answer, Plan):
        return
    for remedy in answer.remedies:
        match remedy:
            case MoveServer(name, source, target):
                assert ledger.workloads[name].hosts == (source,)
                move = plan_move(ledger, name, target=target)
                assert isinstance(move, Plan)
                helped, wanted = pools.arrived(apply(ledger, move), name), new
            case ShrinkServer(name, size, disk):
                helped = ledger
                wanted = [replace(w, size=size, disk=disk) if w.id == name else w for w in new]
            case AddHosts(count, like):
                helped, wanted = with_more(ledger, like, count), new
        assert isinstance(plan_admission(helped, wanted), Plan), remedy


@thorough
@given(pools.certified_regions(), requests())
def test_every_refusal_speaks_of_a_real_server_and_host_and_of_a_real_lack(ledger, new):
    answer = plan_admission(ledger, new)
    if isinstance(answer, Plan):
        return
    assert answer.workload in {w.id for w in new}
    assert answer.shortfall > 0
    if answer.nearest is not None:
        assert answer.nearest in ledger.hosts
    if answer.failure is not None and answer.nearest is not None:
        assert answer.failure not in ledger.hosts[answer.nearest].domains
    for sentence in (answer.explain_en(), answer.explain_ja()):
        assert answer.workload in sentence
        assert "None" not in sentence
        assert answer.failure is None or answer.failure.name in sentence


def test_without_any_failure_the_nearest_host_and_what_it_lacks_are_named():
    hosts = [pools.host("small", 8, 2048), pools.host("large", 8, 6144)]
    answer = refused(pools.region(hosts), pools.server("db-1", 2, 8192, storage=None))
    assert answer.failure is None
    assert answer.proof is Proof.PROVED_IMPOSSIBLE
    assert answer.explain_en().startswith(
        "There is no room for server 'db-1': the nearest host, 'large', lacks 2 GiB of memory."
    )
    assert answer.explain_ja().startswith(
        "サーバー「db-1」を置く空きがありません。最も近いホスト「large」でもメモリが 2 GiB 不足します。"
    )


def test_with_a_failure_the_refuge_that_comes_nearest_is_named():
    hosts = [pools.host("large", 8, 8192), pools.host("small", 5, 8192)]
    answer = refused(pools.region(hosts), pools.server("db-1", 6, 1024, storage=None))
    assert answer.failure == pools.host_domain("large")
    assert (answer.role, answer.nearest) == (Role.REFUGE, "small")
    assert (answer.resource, answer.shortfall, answer.unit) == (Lack.VCPU, 1, "vCPU")
    assert answer.explain_en().startswith(
        "If host 'large' failed, server 'db-1' could not be restarted: the nearest host, 'small', lacks 1 vCPU."
    )
    assert answer.explain_ja().startswith(
        "ホスト「large」が停止した場合に、サーバー「db-1」を再起動できる場所がありません。最も近いホスト「small」でもvCPUが 1 不足します。"
    )


def test_room_that_is_kept_for_a_neighbours_death_is_told_as_such():
    """Host c is nearly empty, but for what it would take over from a or b."""
    hosts = [pools.host(name, 8, 4096) for name in ("a", "b", "c")]
    servers = [
        pools.server("s1", 1, 3072, on=["a"]),
        pools.server("s2", 1, 3072, on=["b"]),
        pools.server("s3", 1, 1024, on=["c"]),
    ]
    ledger = pools.certified(pools.region(hosts, servers))
    answer = refused(ledger, pools.server("new", 1, 2048, storage=None))
    assert (answer.failure, answer.role, answer.nearest) == (A, Role.HOST, "c")
    assert (answer.resource, answer.shortfall) == (Lack.MEMORY, 2048)
    assert answer.explain_en().startswith(
        "There is no room for server 'new' that keeps the promise should host 'a' fail: the nearest host, 'c', would lack 2 GiB of memory for what it must then take over."
    )
    assert answer.explain_ja().startswith(
        "ホスト「a」が停止した場合の保証を保ったままサーバー「new」を置く空きがありません。最も近いホスト「c」でも、その際に引き受ける分のメモリが 2 GiB 不足します。"
    )


@pytest.mark.parametrize(
    ("wanted", "resource", "named"),
    [
        ({"zone": Zone.MYNUMBER}, Lack.ZONE, "mynumber"),
        ({"traits": ["gpu"]}, Lack.TRAIT, "gpu"),
        ({"sites": ["osaka"]}, Lack.SITE, "osaka"),
        ({"disk": 20_000}, Lack.STORAGE, "10,000 GiB"),
        ({"storage": "island"}, Lack.STORAGE_REACH, "island"),
    ],
    ids=str,
)
def test_a_property_that_no_host_has_is_named(wanted, resource, named):
    hosts = [pools.host(n, zones=[Zone.LGWAN, Zone.INTERNET]) for n in ("a", "b")]
    ledger = pools.region(hosts, pools={"pool-a": 10_000, "island": 10_000})
    answer = refused(ledger, pools.server("s", **{"storage": None, **wanted}))
    assert answer.resource == resource
    assert answer.failure is None
    assert named in answer.explain_en()
    assert named in answer.explain_ja()


def test_a_property_that_only_the_dying_host_has_is_named_with_the_failure():
    hosts = [pools.host("a", traits=["gpu"]), pools.host("b")]
    answer = refused(pools.region(hosts), pools.server("s", storage=None, traits=["gpu"]))
    assert answer.failure == pools.host_domain("a")
    assert answer.resource == Lack.TRAIT
    assert "gpu" in answer.explain_en()
    assert AddHosts(1, HostId("a")) in answer.remedies


def test_a_group_with_more_members_than_hosts_is_told_that_it_must_stay_apart():
    hosts = [pools.host(n) for n in ("a", "b", "c")]
    servers = [pools.server(f"s{n}", storage=None, group="db") for n in range(3)]
    answer = refused(pools.region(hosts), *servers)
    assert answer.resource == Lack.ANTI_AFFINITY
    assert "'db'" in answer.explain_en()
    assert answer.remedies == (AddHosts(1, HostId("a")),)


def test_hosts_that_are_all_closed_are_told_as_closed():
    hosts = [pools.host(n, standing=Standing.CLOSED) for n in ("a", "b")]
    answer = refused(pools.region(hosts), pools.server("s", storage=None))
    assert answer.resource == Lack.OPEN_HOST
    assert "closed" in answer.explain_en()


def test_a_single_rack_cannot_keep_the_promise_of_racks():
    hosts = [pools.host(n, in_rack="r1") for n in ("a", "b")]
    ledger = pools.region(hosts, promised=pools.RACKS)
    answer = refused(ledger, pools.server("s", storage=None))
    assert (answer.failure, answer.resource) == (pools.rack("r1"), Lack.OTHER_HOST)
    assert "no other host outside rack 'r1'" in answer.explain_en()
    assert "ラック「r1」の外に" in answer.explain_ja()


def test_a_region_without_hosts_refuses_in_a_sentence():
    answer = refused(pools.region([]), pools.server("s", storage=None))
    assert answer.resource == Lack.OTHER_HOST
    assert answer.nearest is None


def test_bringing_two_servers_together_is_offered_where_it_makes_room():
    hosts = [pools.host(f"h{n}", 10, 10240) for n in range(4)]
    servers = [pools.server(f"s{n}", 1, 3072, on=[f"h{n}"]) for n in range(3)]
    ledger = pools.certified(pools.region(hosts, servers))
    answer = refused(ledger, pools.server("new", 1, 8192, storage=None))
    offered = [remedy for remedy in answer.remedies if isinstance(remedy, MoveServer)]
    assert len(offered) == 1
    assert f"moving server '{offered[0].server}' from host" in answer.explain_en()


def test_what_a_region_leaves_uncovered_is_told_with_failure_server_and_shortfall():
    hosts = [pools.host("a", 8, 8192), pools.host("b", 8, 4096)]
    servers = [
        pools.server("records", 2, 3072, on=["a"], tier=0),
        pools.server("library", 2, 3072, on=["a"], tier=2),
    ]
    answer = recertify(pools.region(hosts, servers))
    assert answer.refuges == {(pools.host_domain("a"), "records"): "b"}
    (uncovered,) = answer.uncovered
    assert (uncovered.workload, uncovered.failure) == ("library", pools.host_domain("a"))
    assert (uncovered.nearest, uncovered.resource, uncovered.shortfall) == ("b", "memory", 2048)
    assert uncovered.remedies == (AddHosts(1, HostId("b")),)


def test_a_search_that_ran_out_does_not_claim_to_be_a_proof():
    found = Refusal(
        failure=None,
        workload="s",
        resource=Lack.MEMORY,
        nearest=HostId("a"),
        shortfall=1500,
        unit="MiB",
        proof=Proof.SEARCH_BUDGET_SPENT,
    )
    assert found.explain_en() == (
        "There is no room for server 's': the nearest host, 'a', lacks 1,500 MiB of memory. "
        "No arrangement was found, and there may still be one."
    )
    assert "証明されたわけではありません" in found.explain_ja()

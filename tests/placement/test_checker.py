"""The checker catches every way in which a certificate can be wrong."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.model.ids import HostId, StoragePoolId
from control_plane.model.ledger import Certificate, Standing
from control_plane.model.pool import Zone
from control_plane.model.units import GiB
from control_plane.placement import Broken, check, checker, violation
from tests.placement import pools

DB = ("db-1", "db-2")
A, B = pools.host_domain("a"), pools.host_domain("b")


def valid():
    """Two members of a group on a and b, each other's refuge apart; c and d stand by."""
    hosts = [
        pools.host("a", in_rack="r1", traits=["ssd"]),
        pools.host("b", in_rack="r2", traits=["ssd"]),
        pools.host("c", in_rack="r3", traits=["ssd"]),
        pools.host("d", in_rack="r1", traits=["ssd"]),
        pools.host("plain", in_rack="r4", site="site-b", zones=[Zone.INTERNET], storage=[]),
    ]
    wants = {"group": "db", "traits": ["ssd"], "sites": ["site-a"]}
    servers = [
        pools.server("db-1", 2, 2048, on=["a"], **wants),
        pools.server("db-2", 2, 2048, on=["b"], **wants),
        pools.server("app", 5, 5000, on=["a"]),
    ]
    refuges = {
        (A, "db-1"): "c",
        (A, "app"): "c",
        (B, "db-2"): "c",
        (pools.rack("r1"), "db-1"): "c",
        (pools.rack("r1"), "app"): "b",
        (pools.rack("r2"), "db-2"): "d",
    }
    return pools.region(hosts, servers, refuges, promised=pools.RACKS)


def refuge(domain, name, host):
    def mutate(ledger):
        refuges = {**ledger.certificate.refuges, (domain, name): HostId(host)}
        return replace(ledger, certificate=Certificate(refuges))

    return mutate


def without(domain, name):
    def mutate(ledger):
        refuges = dict(ledger.certificate.refuges)
        del refuges[domain, name]
        return replace(ledger, certificate=Certificate(refuges))

    return mutate


def host(name, **changes):
    return lambda ledger: pools.with_host(ledger, replace(ledger.hosts[name], **changes))


def server(name, **changes):
    def mutate(ledger):
        changed = replace(ledger.workloads[name], **changes)
        return replace(ledger, workloads={**ledger.workloads, name: changed})

    return mutate


def overfull_pool(ledger):
    pool = replace(ledger.storage[pools.POOL], used=GiB(10_001))
    return replace(ledger, storage={pools.POOL: pool})


def unknown_pool(ledger):
    return server("app", storage=StoragePoolId("lost"))(ledger)


MUTATIONS = {
    "a refuge is missing": (without(A, "db-1"), Broken.NO_REFUGE, A, "db-1", None),
    "a refuge is the host that dies": (refuge(A, "app", "a"), Broken.INSIDE, A, "app", "a"),
    "a refuge dies with the same rack": (
        refuge(pools.rack("r1"), "app", "d"),
        Broken.INSIDE,
        pools.rack("r1"),
        "app",
        "d",
    ),
    "a refuge is nowhere": (refuge(A, "app", "x"), Broken.UNKNOWN_HOST, A, "app", "x"),
    "a refuge is closed": (host("c", standing=Standing.CLOSED), Broken.STANDING, A, "app", "c"),
    "a refuge is gone": (host("c", standing=Standing.GONE), Broken.STANDING, A, "app", "c"),
    "a refuge is at a site where the data may not be": (
        refuge(A, "db-1", "plain"),
        Broken.SITE,
        A,
        "db-1",
        "plain",
    ),
    "a refuge lacks the zone": (refuge(A, "app", "plain"), Broken.ZONE, A, "app", "plain"),
    "a refuge lacks a trait": (host("c", traits=frozenset()), Broken.TRAIT, A, "db-1", "c"),
    "a refuge does not reach the disk": (
        host("c", storage=frozenset()),
        Broken.STORAGE_REACH,
        A,
        "app",
        "c",
    ),
    "a refuge is where another member of the group lives": (
        refuge(A, "db-1", "b"),
        Broken.ANTI_AFFINITY,
        A,
        "db-1",
        "b",
    ),
    "a refuge has too little memory for all that flee there": (
        host("c", capacity=pools.size(8, 7047)),
        Broken.MEMORY,
        A,
        "app",
        "c",
    ),
    "a refuge has too few vCPU for all that flee there": (
        host("c", capacity=pools.size(6, 8192)),
        Broken.VCPU,
        A,
        "app",
        "c",
    ),
    "a server has grown": (
        server("app", size=pools.size(5, 6145)),
        Broken.MEMORY,
        None,
        "app",
        "a",
    ),
    "a server has another server's refuge filled": (
        server("db-2", size=pools.size(4, 2048)),
        Broken.VCPU,
        pools.rack("r1"),
        "app",
        "b",
    ),
    "two members of a group share a host": (
        server("db-2", hosts=(HostId("a"),)),
        Broken.ANTI_AFFINITY,
        None,
        "db-2",
        "a",
    ),
    "a server is on a host that is not there": (
        server("app", hosts=(HostId("x"),)),
        Broken.UNKNOWN_HOST,
        None,
        "app",
        "x",
    ),
    "a server is in a zone that its host does not serve": (
        host("b", zones=frozenset({Zone.INTERNET})),
        Broken.ZONE,
        None,
        "db-2",
        "b",
    ),
    "a storage pool is overfull": (overfull_pool, Broken.STORAGE, None, None, None),
    "a disk is on a pool that is not there": (unknown_pool, Broken.STORAGE, None, "app", "a"),
}


def test_a_valid_certificate_passes():
    assert check(valid()) == ()


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_wrong_certificate_is_caught_and_its_fault_named(mutation):
    mutate, resource, domain, workload, name = mutation
    found = check(mutate(valid()))
    named = {(v.resource, v.domain, v.workload, v.host) for v in found}
    assert (resource, domain, workload, name) in named
    for one in found:
        for sentence in (one.explain_en(), one.explain_ja()):
            for part in (one.workload, one.host, one.domain and one.domain.name):
                assert part is None or part in sentence
            assert sentence.endswith((".", "。"))


def test_two_members_of_a_group_that_flee_to_one_host_are_caught():
    ledger = pools.region(
        [
            pools.host("a", in_rack="r"),
            pools.host("b", in_rack="r"),
            pools.host("c"),
            pools.host("d"),
        ],
        [pools.server("db-1", on=["a"], group="db"), pools.server("db-2", on=["b"], group="db")],
        promised=pools.RACKS,
    )
    ledger = pools.certified(ledger)
    assert check(ledger) == ()
    together = dict(ledger.certificate.refuges)
    together[pools.rack("r"), "db-1"] = together[pools.rack("r"), "db-2"]
    (found,) = check(replace(ledger, certificate=Certificate(together)))
    assert (found.resource, found.domain) == (Broken.ANTI_AFFINITY, pools.rack("r"))


def test_the_shortfall_is_what_the_host_lacks():
    (found, *_) = check(host("c", capacity=pools.size(8, 7000))(valid()))
    assert (found.shortfall, found.unit) == (48, "MiB")
    assert found.explain_en() == (
        "If host 'a' failed: host 'c' lacks 48 MiB of memory once server 'app' is there."
    )
    assert found.explain_ja() == (
        "ホスト「a」が停止した場合、ホスト「c」では、サーバー「app」の分まで含めるとメモリが 48 MiB 不足します。"
    )


def test_a_migrating_server_lives_on_at_the_host_that_is_left_even_a_closed_one():
    hosts = [pools.host("a", standing=Standing.CLOSED), pools.host("b")]
    refuges = {(A, "s"): "b", (B, "s"): "a"}
    ledger = pools.region(hosts, [pools.server("s", 8, 8192, on=["a", "b"])], refuges)
    assert check(ledger) == ()
    gone = host("a", standing=Standing.GONE)(ledger)
    assert [v.resource for v in check(gone)] == [Broken.STANDING]


def test_a_refuge_for_a_domain_that_the_server_has_left_is_passed_over():
    assert check(refuge(pools.rack("r4"), "db-1", "c")(valid())) == ()


@pytest.mark.parametrize("module", [checker, violation], ids=["checker", "violation"])
def test_the_checker_shares_no_code_with_the_planner(module):
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.startswith("control_plane")}
    ours.discard("control_plane.placement.violation")
    assert all(name.startswith("control_plane.model.") for name in ours)

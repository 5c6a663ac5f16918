"""What the promise costs is the largest death, not the sum of all."""

import pytest
from hypothesis import given, settings

from control_plane.model.ledger import Standing
from control_plane.placement import reserve
from tests.placement import pools
from tests.placement.executor import domains
from tests.thoroughness import examples


def region_of_three():
    hosts = [pools.host("a", 8, 8), pools.host("b", 8, 8), pools.host("c", 8, 8)]
    servers = [
        pools.server("s1", 3, 1, on=["a"]),
        pools.server("s2", 1, 4, on=["b"]),
    ]
    refuges = {(pools.host_domain("a"), "s1"): "c", (pools.host_domain("b"), "s2"): "c"}
    return pools.region(hosts, servers, refuges)


def test_a_host_keeps_the_largest_of_what_any_one_death_would_bring():
    cost = reserve(region_of_three())
    assert cost.by_host == {"c": pools.size(3, 4)}
    assert cost.reserved == pools.size(3, 4)
    assert (cost.used, cost.capacity, cost.hosts) == (pools.size(4, 5), pools.size(24, 24), 3)
    assert cost.share == pytest.approx(4 / 24)
    assert cost.hosts_worth == pytest.approx(0.5)


def test_a_migrating_server_costs_no_reserve_where_it_holds_room():
    refuges = {(pools.host_domain("a"), "s"): "b", (pools.host_domain("b"), "s"): "a"}
    hosts = [pools.host("a"), pools.host("b")]
    assert reserve(pools.region(hosts, [pools.server("s", on=["a", "b"])], refuges)).by_host == {}


def test_a_host_that_is_gone_is_no_part_of_the_pool():
    gone = pools.host("d", standing=Standing.GONE)
    assert reserve(pools.with_host(region_of_three(), gone)).hosts == 3


def test_an_empty_region_costs_nothing():
    assert reserve(pools.region([])).hosts_worth == 0.0


@settings(derandomize=True, deadline=None, max_examples=examples(25))
@given(pools.certified_regions())
def test_no_death_brings_a_host_more_than_it_keeps(ledger):
    kept = reserve(ledger).by_host
    for domain in domains(ledger):
        for name in ledger.hosts:
            coming = [
                ledger.workloads[server].size
                for (failing, server), refuge in ledger.certificate.refuges.items()
                if failing == domain and refuge == name
            ]
            total = sum(coming, pools.size(0, 0))
            assert total.fits_in(kept.get(name, pools.size(0, 0)))

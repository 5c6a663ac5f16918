"""What is promised for the next failure while one is under way."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, Standing
from control_plane.placement import (
    Refusal,
    Resettlement,
    arranged_for_the_next,
    check,
    recertify,
    under_way,
)
from tests.placement import pools
from tests.placement.executor import crowding, domains, trouble
from tests.thoroughness import examples

thorough = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def silent(ledger: Ledger, name: str, *, arranged: bool = False) -> Ledger:
    """With a host that may be lost, and the certificate renewed since."""
    host = replace(ledger.hosts[HostId(name)], standing=Standing.CLOSED, silent=True)
    ledger = pools.with_host(ledger, host)
    proof = arranged_for_the_next(ledger, recertify(ledger)) if arranged else recertify(ledger)
    return replace(ledger, certificate=Certificate(proof.refuges))


def tight() -> Ledger:
    """Three hosts with two places each and three servers: one place is the refuge of two of them."""
    hosts = [pools.host(name, 8, 2048) for name in ("h1", "h2", "h3")]
    hosts[1] = pools.host("h2", 8, 3072)
    servers = [
        pools.server("s1", 1, 2048, on=["h1"]),
        pools.server("s2", 1, 1024, on=["h2"]),
        pools.server("s3", 1, 2048, on=["h3"]),
    ]
    return pools.region(hosts, servers)


def test_nothing_is_under_way_where_every_server_is_on_a_host_that_is_well():
    ledger = pools.certified(
        pools.region([pools.host("h1"), pools.host("h2")], [pools.server("s1", on=["h1"])])
    )
    assert under_way(ledger) is None
    assert under_way(silent(ledger, "h2")) is None


def test_a_refuge_that_two_servers_share_covers_no_second_failure():
    ledger = silent(tight(), "h1")
    assert [v for v in check(ledger) if v.workload == "s3"] == []
    found = under_way(ledger)
    assert found is not None
    assert found.hosts == ("h1",)
    assert found.servers == 1
    assert not found.survives_next
    assert ("h3", "s3") in {(r.failure.name, r.workload) for r in found.uncovered if r.failure}
    assert found.uncovered[0].workload in found.explain_en()
    assert found.uncovered[0].workload in found.explain_ja()


def test_room_for_two_failures_is_found_to_be_enough():
    hosts = [pools.host(f"h{n}", 8, 8192) for n in range(1, 5)]
    servers = [pools.server(f"s{n}", 1, 1024, on=[f"h{n}"]) for n in range(1, 5)]
    found = under_way(silent(pools.region(hosts, servers), "h1"))
    assert found is not None
    assert found.survives_next


def test_room_that_is_there_and_not_arranged_yet_is_no_promise():
    """Two more hosts are empty, and both refuges are on one of them."""
    hosts = [pools.host(f"h{n}", 8, 2048) for n in range(1, 5)]
    servers = [pools.server(name, 1, 2048, on=[on]) for name, on in (("s1", "h1"), ("s2", "h2"))]
    h1, h2 = pools.host_domain("h1"), pools.host_domain("h2")
    refuges = {(h1, ServerId("s1")): HostId("h3"), (h2, ServerId("s2")): HostId("h3")}
    ledger = silent(pools.region(hosts, servers, refuges), "h1")
    assert ledger.certificate.refuges == refuges
    found = under_way(ledger)
    assert found is not None
    assert found.uncovered == ()
    assert not found.survives_next
    assert found.explain_en() != found.explain_ja()
    proof = arranged_for_the_next(ledger, recertify(ledger))
    assert proof.refuges == {**refuges, (h2, ServerId("s2")): HostId("h4")}
    arranged = replace(ledger, certificate=Certificate(proof.refuges))
    assert check(arranged) == ()
    found = under_way(arranged)
    assert found is not None
    assert found.survives_next


def test_servers_of_a_host_that_is_fenced_are_under_way_until_they_have_left_it():
    hosts = [pools.host("h1", standing=Standing.GONE), pools.host("h2"), pools.host("h3")]
    ledger = pools.region(hosts, [pools.server("s1", on=["h1"])])
    found = under_way(ledger)
    assert found is not None
    assert (found.hosts, found.servers) == (("h1",), 1)
    assert not found.survives_next, "it had no refuge, so nobody knows where it will be"


@pytest.mark.long
@thorough
@given(st.one_of(pools.loaded_regions(servers=5), pools.certified_for_wide_failures()), st.data())
def test_what_is_promised_meanwhile_holds_whichever_host_is_proved_dead_first(ledger, data):
    standing = sorted({host for w in ledger.workloads.values() for host in w.hosts})
    if not standing:
        return
    name = data.draw(st.sampled_from(standing))
    ledger = silent(ledger, name, arranged=True)
    found = under_way(ledger)
    if found is None or not found.survives_next or check(ledger):
        return
    # The first failure is over before the next one.
    own = pools.host_domain(name)
    after = _executed(ledger, {name}, own)
    after = replace(after, certificate=Certificate(recertify(after).refuges))
    assert trouble(after) == []
    # The next one takes its refuges first, then the servers of the first look for theirs.
    for domain in domains(ledger):
        dead = {h.id for h in ledger.hosts.values() if domain in h.domains}
        if name in dead:
            continue
        between = _executed(ledger, dead, domain)
        left = [w.id for w in between.workloads.values() if w.hosts == (name,)]
        room = Resettlement(between, left)
        places = {w.id: set(w.hosts) for w in between.workloads.values()}
        for server in left:
            refuge = ledger.certificate.refuges[own, server]
            if refuge not in dead and room.fits(server, refuge):
                room.give(server, refuge)
                places[server] = {refuge}
            else:
                answer = room.find(server)
                assert not isinstance(answer, Refusal)
                places[server] = {answer}
        assert crowding(between, places) == []


def _executed(ledger: Ledger, dead: set[str], domain) -> Ledger:
    """These hosts are gone, and what was on them is at its refuges for the failure."""
    workloads = {}
    for w in ledger.workloads.values():
        left = tuple(host for host in w.hosts if host not in dead)
        if w.hosts and not left:
            left = (ledger.certificate.refuges[domain, w.id],)
        workloads[w.id] = replace(w, hosts=left)
    hosts = {
        h.id: replace(h, standing=Standing.GONE, silent=False) if h.id in dead else h
        for h in ledger.hosts.values()
    }
    moved = {w.id for w in ledger.workloads.values() if w.hosts != workloads[w.id].hosts}
    kept = {k: r for k, r in ledger.certificate.refuges.items() if k[1] not in moved}
    return replace(ledger, hosts=hosts, workloads=workloads, certificate=Certificate(kept))

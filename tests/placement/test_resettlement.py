"""Servers that lost their hosts are given others, one after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.placement import Refusal, Resettlement, plan_admission
from tests.placement.pools import (
    certified,
    host,
    loaded_regions,
    may_stand,
    region,
    server,
    with_server,
)


def half_dead(ledger: Ledger, dead: frozenset[HostId]) -> tuple[Ledger, list[ServerId]]:
    """The ledger once these hosts are fenced, and the servers that only they held, in order of
    their tiers."""
    hosts = {
        id: replace(host, standing=Standing.GONE) if id in dead else host
        for id, host in ledger.hosts.items()
    }
    lost = [w for w in ledger.workloads.values() if w.hosts and dead.issuperset(w.hosts)]
    ordered = sorted(lost, key=lambda w: (w.tier, w.id))
    return replace(ledger, hosts=hosts), [w.id for w in ordered]


def without(ledger: Ledger, lost: list[ServerId]) -> Ledger:
    cleared = {id: replace(ledger.workloads[id], hosts=()) for id in lost}
    return replace(ledger, workloads={**ledger.workloads, **cleared})


def fitting(ledger: Ledger, workload: LedgerWorkload) -> list[HostId]:
    return [
        host.id
        for host in ledger.hosts.values()
        if host.standing is Standing.OPEN and may_stand(ledger, workload, host)
    ]


@pytest.mark.long
@given(loaded_regions(migrating=True), st.data())
def test_each_is_given_a_host_that_may_carry_it_and_is_refused_only_when_there_is_none(
    ledger, data
):
    dead = frozenset(data.draw(st.sets(st.sampled_from(sorted(ledger.hosts)))))
    ledger, lost = half_dead(ledger, dead)
    room, now = Resettlement(ledger, lost), without(ledger, lost)
    for id in lost:
        workload = now.workloads[id]
        possible = fitting(now, workload)
        promised = data.draw(st.none() | st.sampled_from(sorted(ledger.hosts)))
        if promised is not None and room.fits(id, promised):
            assert _has_room(now, workload, promised)
            if promised not in possible:
                continue
            room.give(id, promised)
            given = promised
        else:
            answer = room.find(id)
            if isinstance(answer, Refusal):
                assert possible == []
                assert answer.workload == id
                continue
            assert answer in possible
            given = answer
        now = with_server(now, replace(workload, hosts=(given,)))


def _has_room(ledger: Ledger, workload: LedgerWorkload, host: HostId) -> bool:
    anywhere = replace(workload, zone=next(iter(ledger.hosts[host].zones)), traits=frozenset())
    anywhere = replace(anywhere, sites=frozenset(), storage=None)
    return may_stand(ledger, anywhere, ledger.hosts[host])


def test_the_same_question_has_the_same_answer():
    ledger = region(
        [host(f"h{n}") for n in range(4)],
        [server(f"s{n}", 2, 2048, on=[f"h{n % 4}"], tier=n % 3) for n in range(9)],
    )
    ledger, lost = half_dead(ledger, frozenset({HostId("h0"), HostId("h1")}))

    def answers():
        room = Resettlement(ledger, lost)
        return [room.find(id) for id in lost]

    assert answers() == answers()


def test_a_host_is_chosen_where_nobodys_refuge_has_to_give_way():
    ledger = certified(
        region(
            [host("h0", 4, 4096), host("h1", 4, 4096), host("h2", 8, 8192), host("h3", 8, 8192)],
            [server("a", 4, 4096, on=["h0"]), server("b", 1, 1024, on=["h1"])],
        )
    )
    ledger, lost = half_dead(ledger, frozenset({HostId("h1")}))
    found = Resettlement(ledger, lost).find(ServerId("b"))
    assert not isinstance(found, Refusal)
    plan = plan_admission(ledger_without_b(ledger), [replace(ledger.workloads["b"], hosts=())])
    assert not isinstance(plan, Refusal)
    assert found == plan.hosts[ServerId("b")]


def ledger_without_b(ledger: Ledger) -> Ledger:
    left = {id: w for id, w in ledger.workloads.items() if id != "b"}
    kept = {k: r for k, r in ledger.certificate.refuges.items() if k[1] != "b"}
    return replace(ledger, workloads=left, certificate=Certificate(kept))


def test_servers_of_a_group_stay_apart_and_one_too_many_waits():
    ledger = region(
        [host("h0"), host("h1"), host("h2")],
        [server(f"s{n}", on=["h0"] if n == 0 else [f"h{n}"], group="g") for n in range(3)],
    )
    ledger, lost = half_dead(ledger, frozenset({HostId("h0")}))
    answer = Resettlement(ledger, lost).find(ServerId("s0"))
    assert isinstance(answer, Refusal)
    assert answer.resource == "anti-affinity"

"""What is guaranteed and not used is held: it fits under the certificate, whatever is done."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.pool import Policy, Zone
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.placement import (
    Plan,
    Refusal,
    apply,
    check,
    growth_of,
    holdings,
    plan_admission,
    plan_guarantee,
    plan_move,
    plan_resize,
    plan_resize_elsewhere,
    recertify,
    unproved,
)
from control_plane.placement.holdings import capacity_of, used
from tests.placement import pools
from tests.thoroughness import examples

GIB = 1024
OWNERS = ("012220", "262048")


def capacity(vcpu: int, gib: int, disk: int = 0) -> Capacity:
    return Capacity(VCpu(vcpu), MiB(gib * GIB), GiB(disk))


def pool(hosts: int, vcpu: int = 4, gib: int = 8, **more: object) -> Ledger:
    return pools.region([pools.host(f"h{n}", vcpu, gib * GIB) for n in range(hosts)], **more)


def server(name: str, vcpu: int, gib: int, owner: str = OWNERS[0], disk: int = 1) -> LedgerWorkload:
    return replace(pools.server(name, vcpu, gib * GIB, disk=disk, storage=None), owner=owner)


def guarantee(ledger: Ledger, owner: str, amount: Capacity) -> Ledger | None:
    plan = plan_guarantee(ledger, owner, amount)
    if plan is None:
        return None
    after = apply(ledger, plan)
    return replace(after, guaranteed={**after.guaranteed, owner: amount})


def granted(ledger: Ledger, owner: str, amount: Capacity) -> Ledger:
    after = guarantee(ledger, owner, amount)
    assert after is not None
    return after


def admitted(ledger: Ledger, *new: LedgerWorkload) -> Ledger:
    answer = plan_admission(ledger, new)
    assert isinstance(answer, Plan), answer.explain_en()
    return apply(ledger, answer)


def without(ledger: Ledger, name: ServerId) -> Ledger:
    """As the store removes a server: as far as its owner is guaranteed it, a holding stays."""
    gone = ledger.workloads[name]
    guaranteed = ledger.guaranteed.get(gone.owner, Capacity())
    had = used(ledger, gone.owner)
    due = guaranteed.beyond(had.beyond(capacity_of(gone))).beyond(guaranteed.beyond(had))
    workloads = {id: w for id, w in ledger.workloads.items() if id != name}
    left = ServerId(f"{name}:1")
    refuges = {
        (domain, left if id == name else id): host
        for (domain, id), host in ledger.certificate.refuges.items()
        if id != name or due
    }
    storage = dict(ledger.storage)
    if gone.storage is not None:
        kept = storage[gone.storage]
        storage[kept.id] = replace(kept, used=GiB(kept.used - gone.disk + due.disk))
    if due:
        workloads[left] = replace(
            gone, id=left, size=due.size, disk=due.disk, tier=10**6, holding=True,
            group=None, traits=frozenset(), sites=frozenset(),
        )  # fmt: skip
    return replace(ledger, workloads=workloads, certificate=Certificate(refuges), storage=storage)


def assert_kept(ledger: Ledger) -> None:
    assert check(ledger) == ()
    assert unproved(ledger) == {}


def test_a_guarantee_that_is_not_used_keeps_others_out_and_its_owner_in():
    """Of three hosts of 4 vCPU, two survive."""
    ledger = granted(pool(3), OWNERS[0], capacity(8, 16))
    refusal = plan_admission(ledger, [server("theirs", 1, 1, OWNERS[1])])
    assert isinstance(refusal, Refusal)
    after = admitted(ledger, *(server(f"own-{n}", 1, 2) for n in range(8)))
    assert holdings(after) == []
    assert_kept(after)


def test_a_server_larger_than_any_holding_gets_the_holdings_of_others_out_of_its_way():
    """Eight holdings of another lie about; one host has to be freed for a server as large as it."""
    ledger = granted(pool(4), OWNERS[1], capacity(6, 12))
    assert len({holding.hosts for holding in holdings(ledger)}) > 1
    after = admitted(ledger, server("large", 4, 8))
    assert sum(map(capacity_of, holdings(after)), Capacity()) == capacity(6, 12)
    assert_kept(after)


def test_guarantees_that_do_not_fit_together_are_not_given():
    ledger = granted(pool(3), OWNERS[0], capacity(5, 10))
    assert guarantee(ledger, OWNERS[1], capacity(4, 8)) is None
    assert guarantee(ledger, OWNERS[1], capacity(3, 6)) is not None


def test_guaranteed_disk_is_kept_on_storage():
    ledger = granted(pool(3, pools={pools.POOL: 10}), OWNERS[0], capacity(2, 4, disk=7))
    assert ledger.storage[pools.POOL].used == 7
    refusal = plan_admission(ledger, [server("theirs", 1, 1, OWNERS[1], disk=4)])
    assert isinstance(refusal, Refusal)
    assert_kept(admitted(ledger, server("own", 1, 2, disk=7)))


def test_a_smaller_guarantee_sets_room_free():
    ledger = granted(pool(3), OWNERS[0], capacity(8, 16))
    less = granted(ledger, OWNERS[0], capacity(4, 8))
    assert_kept(admitted(granted(less, OWNERS[1], capacity(4, 8)), server("own", 1, 2)))


def test_a_host_that_dies_takes_no_guarantee_with_it_where_there_is_room():
    ledger = granted(pool(4), OWNERS[0], capacity(6, 12))
    dead = ledger.hosts[HostId("h0")]
    ledger = pools.with_host(ledger, replace(dead, standing=Standing.GONE))
    answer = recertify(ledger)
    assert answer.short == {}
    assert {host for h in answer.holdings.values() if h for host in h.hosts} <= {"h1", "h2", "h3"}


def test_what_finds_no_room_after_a_failure_is_said_to_the_unit_and_found_again_later():
    ledger = granted(pool(3), OWNERS[0], capacity(8, 16))
    whole = ledger.hosts[HostId("h0")]
    dying = pools.with_host(ledger, replace(whole, standing=Standing.GONE))
    answer = recertify(dying)
    assert answer.uncovered == ()
    assert answer.short == {OWNERS[0]: capacity(4, 8)}
    after = certified(dying)
    assert check(after) == ()
    assert unproved(after) == {OWNERS[0]: capacity(4, 8)}
    assert recertify(pools.with_host(after, whole)).short == {}


def test_holdings_make_way_for_a_server_without_refuge():
    ledger = granted(pool(3), OWNERS[0], capacity(4, 8))
    alone = replace(server("theirs", 4, 8, OWNERS[1]), storage=pools.POOL, hosts=(HostId("h0"),))
    free = dict.fromkeys(h.id for h in holdings(ledger) if h.hosts == ("h0",))
    ledger = pools.with_server(ledger, alone)
    for name in free:
        ledger = replace(ledger, workloads={k: w for k, w in ledger.workloads.items() if k != name})
    answer = recertify(ledger)
    assert answer.uncovered == ()
    assert check(certified(ledger)) == ()


def certified(ledger: Ledger) -> Ledger:
    """As certification leaves it."""
    answer = recertify(ledger)
    changed = apply(
        ledger,
        Plan({}, {}, {}, frozenset(), {}, answer.holdings),
    )
    return replace(changed, certificate=Certificate(answer.refuges))


@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_whatever_is_accepted_leaves_every_guarantee_with_its_room(data):
    ledger = pool(
        data.draw(st.integers(2, 5)),
        data.draw(st.integers(2, 6)),
        data.draw(st.integers(3, 9)),
        pools={pools.POOL: data.draw(st.integers(10, 60))},
    )
    for step in range(data.draw(st.integers(1, 9))):
        owner = data.draw(st.sampled_from(OWNERS))
        servers = sorted(w.id for w in ledger.workloads.values() if not w.holding)
        what = data.draw(st.sampled_from(["guarantee", "create", "delete", "move", "resize"]))
        if what == "guarantee":
            amount = capacity(*(data.draw(st.integers(0, most)) for most in (8, 16, 12)))
            ledger = guarantee(ledger, owner, amount) or ledger
        elif what == "create":
            new = server(
                f"s{step}",
                data.draw(st.integers(1, 3)),
                data.draw(st.integers(1, 5)),
                owner,
                data.draw(st.integers(1, 6)),
            )
            answer = plan_admission(ledger, [new], advise=False)
            ledger = apply(ledger, answer) if isinstance(answer, Plan) else ledger
        elif servers:
            name = data.draw(st.sampled_from(servers))
            if what == "delete":
                ledger = without(ledger, name)
            elif what == "move":
                answer = plan_move(ledger, name, advise=False)
                if isinstance(answer, Plan):
                    between = apply(ledger, answer)
                    assert check(between) == ()
                    assert used(between, owner) == used(ledger, owner)
                    ledger = pools.arrived(between, name)
            else:
                more = pools.size(data.draw(st.integers(0, 2)), data.draw(st.integers(0, 3)) * GIB)
                size = ledger.workloads[name].size + more
                answer = plan_resize(ledger, name, size, advise=False)
                if isinstance(answer, Plan):
                    ledger = apply(ledger, answer)
        assert_kept(ledger)
        for tenant in OWNERS:
            assert_can_use_what_is_left(ledger, tenant)


def assert_can_use_what_is_left(ledger: Ledger, owner: str) -> None:
    """In servers that fit into holdings, all of what is guaranteed and not used."""
    left = [
        replace(
            server(f"u{number}", 0, 0, owner),
            size=holding.size,
            disk=holding.disk,
            zone=Zone.LGWAN,
        )
        for number, holding in enumerate(holdings(ledger, owner))
    ]
    for new in left:
        answer = plan_admission(ledger, [new], advise=False)
        assert isinstance(answer, Plan), (owner, new, answer.explain_en())
        ledger = apply(ledger, answer)
        assert check(ledger) == ()


def test_a_server_that_moves_to_grow_holds_both_hosts_and_counts_once():
    """Two servers fill a host of 4 vCPU; one of them is to have all that a host has."""
    ledger = admitted(pool(4, policy=Policy.PACK), server("a", 2, 4), server("b", 2, 4))
    ledger = granted(ledger, OWNERS[0], capacity(5, 10, disk=9))
    name, grown = ServerId("a"), pools.size(4, 8 * GIB)
    assert isinstance(plan_resize(ledger, name, grown, advise=False), Refusal)
    plan = plan_resize_elsewhere(ledger, name, grown, GiB(3))
    assert isinstance(plan, Plan), plan.explain_en()
    during = apply(ledger, plan)
    assert_kept(during)
    room = during.workloads[growth_of(name)]
    assert room.hosts != during.workloads[name].hosts == ledger.workloads[name].hosts
    more = used(during, OWNERS[0]).beyond(used(ledger, OWNERS[0]))
    assert more == capacity(2, 4, disk=3)
    there = replace(room, id=name, grows=None, disk=GiB(room.disk + 1))
    refuges = {
        (domain, name if of == room.id else of): host
        for (domain, of), host in during.certificate.refuges.items()
        if of != name
    }
    workloads = {n: w for n, w in during.workloads.items() if n != room.id}
    after = replace(during, workloads={**workloads, name: there}, certificate=Certificate(refuges))
    assert_kept(after)
    assert used(after, OWNERS[0]) == used(during, OWNERS[0])

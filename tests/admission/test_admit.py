"""A request is admitted whole, with its promise, or refused whole, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest

from control_plane.admission import NewServer, admit
from control_plane.admission.settle import settle
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Suspect
from control_plane.model.ids import FlavorId, GroupId, ImageId, RegionId, SiteId, SystemId
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Flavor, Placed, Power, Server
from control_plane.store import LostRace, Store, Transaction
from tests.admission.asking import ask, assert_sound, ledger_of, new, nothing_else, pair
from tests.store import samples
from tests.store.samples import KYOTO, host_id, server_id


def test_an_admitted_server_has_a_host_storage_an_address_and_a_refuge(store: Store) -> None:
    samples.furnish(store)
    answer = ask(store, new(1, power=Power.STOPPED, traits=frozenset({"ssd"})))
    with store.read() as tx:
        server = tx.server(server_id(1))
    assert answer.servers == (server,)
    assert isinstance(server.placement, Placed)
    assert server.storage == samples.POOL
    assert server.address == "10.77.16.2/24"
    assert (server.tenant, server.zone, server.tier) == (
        samples.FUKUCHIYAMA,
        samples.system().zone,
        samples.system().tier,
    )
    assert (server.size, server.disk, server.power) == (samples.ONE, GiB(10), Power.STOPPED)
    assert server.traits == {"ssd"}
    refuges = assert_sound(store).certificate.refuges
    assert {key[1] for key in refuges} == {server.id}
    assert server.placement.host not in refuges.values()


def test_what_is_asked_for_together_comes_together(store: Store) -> None:
    samples.furnish(store)

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tx.add_tenant(samples.tenant(samples.MAIZURU, "舞鶴市"))
        system = samples.system(SystemId("262021-library"), samples.MAIZURU)
        tx.add_system(system)
        return [new(1, system=system.id), new(2, system=system.id)]

    def finish(tx: Transaction, servers: Sequence[Server]) -> str:
        tx.put_operation(samples.operation(1))
        return " ".join(server.id for server in servers)

    answer = admit(store, KYOTO, prepare, finish)
    assert answer.result == "server-0001 server-0002"
    with store.read() as tx:
        assert len(tx.servers(tenant=samples.MAIZURU)) == 2
        assert tx.operation(samples.operation(1).id).total == 2
    assert_sound(store)


def test_servers_of_one_group_never_share_a_host(store: Store) -> None:
    samples.furnish(store)
    first, second = ask(store, *pair(1)).servers
    assert first.placement != second.placement
    assert_sound(store)


def test_a_request_that_does_not_fit_is_refused_whole_and_says_why(store: Store) -> None:
    samples.furnish(store)
    before = ledger_of(store)

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tx.add_tenant(samples.tenant(samples.MAIZURU, "舞鶴市"))
        return [new(number) for number in range(24)]

    with pytest.raises(YuiError) as refusal:
        admit(store, KYOTO, prepare, nothing_else)
    assert refusal.value.type == "no-room"
    assert refusal.value.status == 409
    assert "server-" in refusal.value.en
    assert refusal.value.ja.endswith("。")
    fields = refusal.value.fields
    assert str(fields["workload"]).startswith("server-")
    assert fields["resource"] in ("vcpu", "memory")
    assert fields["nearest"] in before.hosts
    assert isinstance(fields["shortfall"], int)
    assert fields["shortfall"] > 0
    assert fields["proof"] in ("proved-impossible", "search-budget-spent")
    assert ledger_of(store) == before
    with store.read() as tx:
        assert tx.tenants() == (samples.tenant(),)


def test_a_request_whose_disks_do_not_fit_is_refused(store: Store) -> None:
    samples.furnish(store, capacity=15)
    with pytest.raises(YuiError) as refusal:
        ask(store, new(1), new(2))
    assert refusal.value.type == "no-room"
    assert refusal.value.fields["resource"] == "storage"
    ask(store, new(1))
    assert_sound(store)


def test_a_flavor_larger_than_any_host_is_refused(store: Store) -> None:
    samples.furnish(store)
    huge = Flavor(FlavorId("huge"), Resources(VCpu(9), MiB(1024)), GiB(10))
    with store.write() as tx:
        tx.put_flavor(huge)
    with pytest.raises(YuiError) as refusal:
        ask(store, new(1, flavor=huge.id))
    assert refusal.value.type == "no-room"


def test_a_dry_run_answers_the_same_and_keeps_nothing(store: Store) -> None:
    samples.furnish(store)
    before = ledger_of(store)
    rehearsed = ask(store, *pair(1), dry_run=True)
    assert rehearsed.dry_run
    assert ledger_of(store) == before
    with store.read() as tx:
        assert tx.servers() == ()
    real = ask(store, *pair(1))
    assert (real.servers, real.plan, real.refuges) == (
        rehearsed.servers,
        rehearsed.plan,
        rehearsed.refuges,
    )


def test_a_dry_run_refuses_as_the_real_one_does(store: Store) -> None:
    samples.furnish(store)
    wanted = [new(number) for number in range(24)]
    refusals = []
    for dry_run in (True, False):
        with pytest.raises(YuiError) as refusal:
            ask(store, *wanted, dry_run=dry_run)
        refusals.append((refusal.value.type, refusal.value.en))
    assert refusals[0] == refusals[1]


def test_a_failure_after_placing_undoes_the_placing(store: Store) -> None:
    samples.furnish(store)
    before = ledger_of(store)

    def fail(_: Transaction, __: Sequence[Server]) -> None:
        raise RuntimeError("the caller's own mistake")

    with pytest.raises(RuntimeError):
        admit(store, KYOTO, lambda _: [new(1)], fail)
    assert ledger_of(store) == before


def test_asking_for_nothing_still_prepares_and_finishes(store: Store) -> None:
    samples.furnish(store)

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tx.add_tenant(samples.tenant(samples.MAIZURU, "舞鶴市"))
        return ()

    answer = admit(store, KYOTO, prepare, lambda _, servers: len(servers))
    assert (answer.result, answer.servers, answer.plan, answer.refuges) == (0, (), None, {})
    with store.read() as tx:
        assert tx.tenant(samples.MAIZURU).name == "舞鶴市"


_MISTAKES = {
    "flavor-not-found": {"flavor": FlavorId("nowhere")},
    "image-not-found": {"image": ImageId("nowhere")},
    "system-not-found": {"system": SystemId("nowhere")},
    "site-not-found": {"sites": frozenset({SiteId("nowhere")})},
    "server-exists": {"id": server_id(7)},
    "image-larger-than-disk": {"flavor": FlavorId("tiny-disk")},
    "system-elsewhere": {"system": SystemId("elsewhere")},
}


@pytest.mark.parametrize("type", _MISTAKES)
def test_a_mistake_in_a_request_is_named_and_nothing_is_kept(store: Store, type: str) -> None:
    samples.furnish(store)
    saga = RegionId("saga")
    with store.write() as tx:
        tx.add_server(samples.server(7))
        tx.put_flavor(Flavor(FlavorId("tiny-disk"), samples.ONE, GiB(0)))
        tx.put_region(samples.region(id=saga))
        tx.add_system(replace(samples.system(SystemId("elsewhere")), region=saga))
    before = ledger_of(store)
    with pytest.raises(YuiError) as refusal:
        ask(store, new(1), new(2, **_MISTAKES[type]))
    assert refusal.value.type == type
    assert refusal.value.ja.endswith("。")
    assert ledger_of(store) == before


def test_one_id_asked_for_twice_is_refused(store: Store) -> None:
    samples.furnish(store)
    with pytest.raises(YuiError) as refusal:
        ask(store, new(1), new(1))
    assert refusal.value.type == "server-exists"


def test_an_unknown_region_is_not_found(store: Store) -> None:
    with pytest.raises(YuiError) as refusal:
        admit(store, RegionId("nowhere"), lambda _: [new(1)], nothing_else)
    assert refusal.value.type == "region-not-found"


def test_a_lost_race_is_run_again_from_the_start_on_what_is_then_so(store: Store) -> None:
    samples.furnish(store)
    seen: list[int] = []

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        seen.append(len(tx.tenants()))
        tx.add_tenant(samples.tenant(samples.MAIZURU, "舞鶴市"))
        if len(seen) < 3:
            raise LostRace("something")
        return [new(1)]

    admit(store, KYOTO, prepare, nothing_else)
    assert len(seen) > 3
    assert set(seen) == {1}, "a lost try has left something behind"
    assert_sound(store)


def test_a_request_may_choose_other_ids_each_time_it_is_asked(store: Store) -> None:
    samples.furnish(store)
    numbers = count()

    def prepare(_: Transaction) -> Sequence[NewServer]:
        group = GroupId("apart")
        return [new(next(numbers), group=group), new(next(numbers), group=group)]

    answer = admit(store, KYOTO, prepare, nothing_else)
    ledger = assert_sound(store)
    assert set(ledger.workloads) == {server.id for server in answer.servers}
    assert {key[1] for key in answer.refuges} == set(ledger.workloads)


def test_nobody_waits_while_a_plan_is_made(store: Store) -> None:
    """That a host is dead must be written at once, however long a request is thought about."""
    samples.furnish(store)

    def think(_: None) -> str:
        with ThreadPoolExecutor(1) as other:
            writing = other.submit(
                samples.attempt, store, lambda tx: tx.put_operation(samples.operation(1))
            )
            writing.result(20)
        return "thought"

    assert settle(store, KYOTO, lambda _: None, think, lambda _tx, _then, _now, a: a) == "thought"
    with store.read() as tx:
        assert tx.operation(samples.operation(1).id) == samples.operation(1)


def test_a_race_that_is_always_lost_is_given_up(store: Store) -> None:
    samples.furnish(store)
    tries: list[None] = []

    def prepare(_: Transaction) -> Sequence[NewServer]:
        tries.append(None)
        raise LostRace("something")

    with pytest.raises(LostRace):
        admit(store, KYOTO, prepare, nothing_else)
    assert 1 < len(tries) < 50


def test_a_suspect_host_takes_nothing_and_is_nobodys_refuge(store: Store) -> None:
    samples.furnish(store, hosts=4)
    with store.write() as tx:
        tx.save_host(replace(tx.host(host_id(1)), health=Suspect(samples.NOON, "mgmt")))
    for number in range(4):
        ask(store, new(number))
    ledger = assert_sound(store)
    assert host_id(1) not in ledger.certificate.refuges.values()
    assert all(host_id(1) not in workload.hosts for workload in ledger.workloads.values())

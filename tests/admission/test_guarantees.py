"""What is guaranteed stays there for its member in the state too, however servers come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.admission import certify, guarantee
from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Cleaning, Up
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.placement import check, holdings, unproved
from control_plane.store import LostRace, Store
from tests.admission.asking import ask, assert_sound, ledger_of, new
from tests.store import samples

TWO = Capacity(VCpu(2), MiB(2048), GiB(20))
LOTS = Capacity(VCpu(1000), MiB(10**7), GiB(10**6))


def guaranteed(
    store: Store, amount: Capacity, tenant: MunicipalityCode = samples.FUKUCHIYAMA
) -> None:
    guarantee(store, samples.KYOTO, tenant, amount, lambda _, __: None, quota=LOTS)


def held(store: Store) -> Capacity:
    ledger = assert_sound(store)
    return sum((Capacity.of(h.size, h.disk) for h in holdings(ledger)), Capacity())


def test_a_guarantee_is_held_and_given_up_to_its_member(store: Store) -> None:
    samples.furnish(store)
    guaranteed(store, TWO)
    assert held(store) == TWO
    ask(store, new(1))
    assert held(store) == Capacity(VCpu(1), MiB(1024), GiB(10))
    ask(store, new(2))
    assert held(store) == Capacity()


def test_the_room_of_a_deleted_server_stays_its_members(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1), new(2), new(3))
    guaranteed(store, TWO)
    assert held(store) == Capacity()
    for number in (1, 2, 3):
        with store.write() as tx:
            tx.remove_server(samples.server_id(number))
    assert held(store) == TWO
    assert unproved(ledger_of(store)) == {}
    ask(store, new(4))
    assert held(store) == Capacity(VCpu(1), MiB(1024), GiB(10))


def test_nobody_is_lent_what_is_guaranteed_to_another(store: Store) -> None:
    """Three hosts of eight, of which two survive."""
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(samples.UJI, "宇治市"))
    guaranteed(store, Capacity(VCpu(15), MiB(15 * 1024), GiB(0)), samples.UJI)
    ask(store, new(1))
    with pytest.raises(YuiError) as refusal:
        ask(store, new(2))
    assert refusal.value.type == "no-room"


def test_a_guarantee_that_does_not_fit_beside_the_others_is_refused_and_changes_nothing(
    store: Store,
) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(samples.UJI, "宇治市"))
    guaranteed(store, Capacity(VCpu(9), MiB(9 * 1024), GiB(0)), samples.UJI)
    before = ledger_of(store)
    with pytest.raises(YuiError) as refusal:
        guaranteed(store, Capacity(VCpu(8), MiB(1024), GiB(0)))
    assert refusal.value.type == "guarantee-does-not-fit"
    assert refusal.value.ja.endswith("。")
    assert ledger_of(store) == before
    guaranteed(store, Capacity(VCpu(7), MiB(1024), GiB(0)))
    assert_sound(store)


def test_a_dead_host_takes_guarantees_along_only_where_there_is_no_room(store: Store) -> None:
    samples.furnish(store)
    guaranteed(store, Capacity(VCpu(10), MiB(10 * 1024), GiB(0)))
    with store.write() as tx:
        tx.save_host(replace(tx.host(samples.host_id(1)), health=Cleaning(samples.NOON)))
    answer = certify(store, samples.KYOTO, None)
    assert answer.short["262013"] == Capacity(VCpu(2), MiB(2048), GiB(0))
    ledger = ledger_of(store)
    assert check(ledger) == ()
    assert unproved(ledger) == dict(answer.short)
    with store.write() as tx:
        tx.save_host(replace(tx.host(samples.host_id(1)), health=Up(samples.NOON)))
    assert certify(store, samples.KYOTO, None).short == {}
    assert held(store) == Capacity(VCpu(10), MiB(10 * 1024), GiB(0))


def test_a_host_with_nothing_but_holdings_leaves_the_pool_freely(store: Store) -> None:
    samples.furnish(store, hosts=4)
    guaranteed(store, Capacity(VCpu(12), MiB(12 * 1024), GiB(0)))
    with store.write() as tx:
        tx.remove_host(samples.host_id(2))
    assert certify(store, samples.KYOTO, None).short == {}
    assert held(store) == Capacity(VCpu(12), MiB(12 * 1024), GiB(0))


def test_a_guarantee_set_by_two_at_once_is_set_by_one(store: Store) -> None:
    samples.furnish(store)
    guaranteed(store, TWO)
    with store.read() as tx:
        read = tx.allotment(samples.FUKUCHIYAMA, samples.KYOTO)
    assert read is not None
    guaranteed(store, Capacity(VCpu(1), MiB(0), GiB(0)))
    with pytest.raises(YuiError) as refusal:
        guarantee(
            store,
            samples.KYOTO,
            samples.FUKUCHIYAMA,
            TWO,
            lambda _, __: None,
            quota=LOTS,
            expected=read.generation,
        )
    assert (refusal.value.type, refusal.value.status) == ("quota-changed", 412)


@pytest.mark.postgresql
def test_members_who_come_and_go_at_the_same_time_lose_nothing_of_their_guarantees(
    postgresql_store: Store,
) -> None:
    """Before any certification: whatever is not used is held at every moment."""
    store = postgresql_store
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(samples.UJI, "宇治市"))
        tx.add_system(samples.system(SystemId("262048-records"), samples.UJI))
    members = {samples.FUKUCHIYAMA: samples.SYSTEM, samples.UJI: SystemId("262048-records")}
    for tenant in members:
        guaranteed(store, Capacity(VCpu(5), MiB(5 * 1024), GiB(50)), tenant)
    met = threading.Barrier(3, timeout=20)
    wrong: list[object] = []

    def come_and_go(first: int, system: SystemId) -> None:
        met.wait()
        for number in range(first, first + 4):
            _until_won(lambda n=number: ask(store, new(n, system=system)))
            if number % 2:
                _until_won(lambda n=number: remove(store, n - 1))

    def watch() -> None:
        met.wait()
        while any(thread.is_alive() for thread in threads[:2]):
            ledger = ledger_of(store)
            wrong.extend(check(ledger))
            wrong.extend(unproved(ledger).items())

    threads = [
        threading.Thread(target=come_and_go, args=(100 * number, system))
        for number, system in enumerate(members.values(), start=1)
    ]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    ledger = assert_sound(store)
    assert len(ledger.workloads) - len(holdings(ledger)) == 4
    assert unproved(ledger) == {}


def _until_won(work: Callable[[], object]) -> None:
    for _ in range(50):
        try:
            work()
        except LostRace:
            continue
        return
    raise AssertionError("the race was lost fifty times")


def remove(store: Store, number: int) -> None:
    with store.write() as tx:
        tx.remove_server(samples.server_id(number))

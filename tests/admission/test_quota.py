"""Nobody gets beyond its quota, however it asks and whoever asks at the same time."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from control_plane.admission import NewServer, admit
from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Up
from control_plane.model.ids import SiteId, StoragePoolId
from control_plane.model.pool import StoragePool
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.model.workload import Moving, Placed, Power, Shelved, Stranded
from control_plane.store import Store, Transaction
from tests.admission.asking import ask, new
from tests.store import samples


def limit(store: Store, vcpu: int, memory: int = 10**6, disk: int = 10**6) -> None:
    quota = Capacity(VCpu(vcpu), MiB(memory), GiB(disk))
    with store.write() as tx:
        tx.put_allotment(Allotment(samples.FUKUCHIYAMA, samples.KYOTO, Capacity(), quota))


def used(store: Store) -> Capacity:
    with store.read() as tx:
        return tx.used_by(samples.FUKUCHIYAMA, samples.KYOTO)


def test_a_server_beyond_the_quota_is_refused_with_all_figures(store: Store) -> None:
    samples.furnish(store)
    limit(store, 2, memory=1500)
    ask(store, new(1))
    with pytest.raises(YuiError) as refusal:
        ask(store, new(2), new(3))
    assert refusal.value.type == "quota-exceeded"
    assert refusal.value.status == 409
    assert refusal.value.fields["exceeded"] == [
        {"resource": "vcpus", "used": 1, "container_groups": 0, "asked": 2, "quota": 2},
        {
            "resource": "memory_mib",
            "used": 1024,
            "container_groups": 0,
            "asked": 2048,
            "quota": 1500,
        },
    ]
    assert "1 of 2 vCPU are used and 2 asked for" in refusal.value.en
    assert "vCPUは上限 2 のうち 1 を使用中で、今回の要求は 2" in refusal.value.ja
    assert used(store) == Capacity(VCpu(1), MiB(1024), GiB(10))


def test_what_would_be_refused_is_refused_in_a_dry_run_too(store: Store) -> None:
    samples.furnish(store)
    limit(store, 1)
    with pytest.raises(YuiError, match="beyond its quota"):
        ask(store, new(1), new(2), dry_run=True)
    ask(store, new(1), dry_run=True)
    assert used(store) == Capacity()


def test_without_an_allotment_there_is_no_limit(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1), new(2), new(3))
    assert used(store).vcpu == 3


def test_a_quota_below_what_is_used_takes_nothing_away_and_gives_nothing_more(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1), new(2))
    limit(store, 1)
    with pytest.raises(YuiError, match="beyond its quota"):
        ask(store, new(3))
    assert used(store).vcpu == 2


def test_a_server_counts_once_wherever_and_however_it_is(store: Store) -> None:
    """So that neither failover nor migration counts twice."""
    samples.furnish(store)
    ask(store, new(1))
    placements = [
        Moving(samples.host_id(1), samples.host_id(2)),
        Placed(samples.host_id(2)),
        Stranded(samples.evidence(2)),
        Placed(samples.host_id(3)),
    ]
    for placement in placements:
        for power in Power:
            for deleting in (False, True):
                with store.write() as tx:
                    (server,) = tx.servers()
                    changed = replace(server, placement=placement, power=power, deleting=deleting)
                    tx.save_server(changed)
                assert used(store) == Capacity(VCpu(1), MiB(1024), GiB(10))
    with store.write() as tx:
        tx.put_away(tx.server(samples.server_id(1)), Shelved())
    assert used(store) == Capacity(disk=GiB(10))
    with store.write() as tx:
        tx.remove_server(samples.server_id(1))
    assert used(store) == Capacity()


@pytest.mark.postgresql
def test_those_who_ask_at_the_same_time_do_not_go_beyond_it_together(
    postgresql_store: Store,
) -> None:
    """At two sites with storage of their own, so that nothing but the quota is between them."""
    store = postgresql_store
    samples.furnish(store, hosts=2)
    there = samples.elsewhere()
    pool = StoragePool(StoragePoolId("uji-pool"), GiB(1000), "/srv/yui/uji")
    with store.write() as tx:
        tx.put_site(replace(there, storage_pools=(pool,)))
        for number in (3, 4):
            host = samples.host(number, site=there.id, storage=frozenset({pool.id}))
            tx.save_host(replace(tx.put_host_description(host), health=Up(samples.NOON)))
    limit(store, 3)
    met = threading.Barrier(2, timeout=20)
    refused: list[str] = []

    def one(number: int, site: SiteId) -> None:
        def prepare(_: Transaction) -> list[NewServer]:
            return [new(n, sites=frozenset({site})) for n in (2 * number, 2 * number + 1)]

        def finish(_: Transaction, __: object) -> None:
            # Both have counted and written by now, where nothing kept one of them waiting.
            with suppress(threading.BrokenBarrierError):
                met.wait(1)

        try:
            admit(store, samples.KYOTO, prepare, finish)
        except YuiError as error:
            refused.append(error.type)

    threads = [
        threading.Thread(target=one, args=(number, site))
        for number, site in enumerate((samples.SITE, there.id))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used(store).vcpu == 2
    assert refused == ["quota-exceeded"]

"""Servers that are down are placed however many members join meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from control_plane.model.host_health import Fenced
from control_plane.model.ids import HostId
from control_plane.model.pool import Zone
from control_plane.model.units import Seconds
from control_plane.reconcile.evacuation import Evacuation
from control_plane.reconcile.relocation import in_one
from control_plane.reconcile.timings import Timings
from control_plane.store import LostRace, Store, Transaction
from tests.reconcile.small_pool import REGION, SmallPool
from tests.scenarios.setting import ServerSetting, SystemSetting
from tests.store.conftest import emptied, postgresql_store, postgresql_url

__all__ = ["emptied", "postgresql_store", "postgresql_url"]

pytestmark = pytest.mark.postgresql


@pytest.fixture
def pool(postgresql_store: Store) -> SmallPool:
    pool = SmallPool(postgresql_store)
    pool.until(pool.all_up)
    pool.controller._leadership.give_up()
    return pool


def test_a_part_that_lost_its_race_gets_through_while_others_go_on_writing(pool):
    lease = pool.store.acquire_lease("test", "test", Seconds(60), pool.world.clock.now())
    assert lease is not None
    tries: list[bool] = []

    def join(store: Store) -> None:
        """What a member's admission does to a host, in a transaction of its own."""
        try:
            with store.write() as tx:
                tx.guard_hosts({HostId("kyoto-2"): tx.host(HostId("kyoto-2")).generation})
        except LostRace:
            pass

    def some(tx: Transaction) -> int:
        read = tx.host(HostId("kyoto-2"))
        joining = threading.Thread(target=join, args=(pool.store,))
        joining.start()
        # Whoever was here first is waited for; behind a claim, it waits for this transaction.
        joining.join(timeout=0.5 if tries else 60)
        tries.append(True)
        tx.guard_hosts({read.id: read.generation})
        return 1

    assert in_one(pool.store, REGION, lease, some) == 1
    assert len(tries) == 2


def test_a_fenced_hosts_servers_are_placed_by_postgresql_as_by_sqlite(pool):
    servers = tuple(ServerSetting(f"s-{n}", f"app-{n}", "small") for n in range(6))
    pool.admit(SystemSetting("s", 1, Zone.LGWAN, servers))
    victim = pool.host(1)
    evidence = _fence(pool, victim.id)
    with pool.store.write() as tx:
        tx.save_host(replace(tx.host(victim.id), health=evidence))
    lease = pool.store.acquire_lease("test", "test", Seconds(60), pool.world.clock.now())
    assert lease is not None
    evacuation = Evacuation(pool.store, pool.world.clock, Timings(servers_per_tick=1))
    with pool.store.read() as tx:
        affected = len(tx.servers(host=victim.id))
        hosts = tx.hosts()
    assert affected >= 2
    for left in range(affected, 0, -1):
        assert evacuation.advance(hosts, lease) == {REGION: 1}
        assert evacuation.unfinished == ({REGION} if left > 1 else set())
    assert evacuation.advance(hosts, lease) == {}
    with pool.store.read() as tx:
        assert tx.servers(host=victim.id) == ()


def _fence(pool: SmallPool, host: HostId) -> Fenced:
    at = pool.world.clock.now()
    with pool.store.read() as tx:
        suspected = tx.host(host).health.suspect(at, "one")
    confirmed = suspected.confirm(at, "two")
    pool.world.crash(host)
    (fencer, *_) = pool.world.fencers(pool.host(1))
    return confirmed.fence(fencer.fence(pool.host(1)))

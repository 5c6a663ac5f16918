"""Hosts that are switched on again for servers that wait for room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.simulated import Running
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.host_health import Fenced
from control_plane.model.ids import HostId, StoragePoolId
from control_plane.model.pool import Host, Zone
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed, Seen, Stranded
from control_plane.reconcile import Controller, Timings
from control_plane.reconcile.revival import Revival
from control_plane.store import Lease, Store
from tests.reconcile.small_pool import SmallPool
from tests.scenarios.setting import ServerSetting, SystemSetting


@pytest.fixture
def pool(tmp_path: Path):
    """Three hosts with room for six servers and four of them, placed one a tick when hosts die."""
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    pool = SmallPool(store)
    pool.controller = Controller(store, pool.world, "test", Timings(servers_per_tick=1))
    pool.until(pool.all_up)
    servers = tuple(ServerSetting(f"office-{n}", f"app-{n}", "large") for n in range(4))
    pool.admit(SystemSetting("office", 1, Zone.LGWAN, servers))
    pool.until(lambda: all(server.seen is Seen.RUNNING for server in servers_of(pool)))
    yield pool
    store.close()


def servers_of(pool: SmallPool):
    with pool.store.read() as tx:
        return tx.servers()


def recorded_on(pool: SmallPool, host: HostId) -> list[str]:
    return [s.id for s in servers_of(pool) if s.placement == Placed(host)]


def one_is_fenced_and_its_servers_wait(pool: SmallPool) -> Host:
    """All hosts are off; this one's BMC works."""
    for host in pool.world.machines:
        pool.world.crash(host)
        pool.world.hang_bmc(host)
    at, by = pool.world.clock.now(), "BMC"
    evidence = FenceEvidence(HostId("kyoto-1"), FenceKind.REDFISH_POWER_OFF, at, by, "off")
    with pool.store.write() as tx:
        fenced = tx.save_host(replace(tx.host(HostId("kyoto-1")), health=Fenced(at, evidence)))
        for server in tx.servers(host=fenced.id):
            tx.save_server(replace(server, placement=server.placement.strand(evidence)))
    pool.world.repair_bmc(fenced.id)
    return fenced


def lease_of(pool: SmallPool) -> Lease:
    """A new one each time."""
    lease = pool.store.acquire_lease("test", "test", Seconds(600), pool.world.clock.now())
    assert lease is not None
    return lease


def test_a_host_that_does_not_reach_the_disks_of_those_who_wait_stays_off(pool):
    fenced, lease = one_is_fenced_and_its_servers_wait(pool), lease_of(pool)
    elsewhere = replace(fenced, storage=frozenset({StoragePoolId("osaka-pool")}))
    revival = Revival(pool.store, pool.world)
    assert revival.advance([elsewhere], servers_of(pool), lease) == 0
    assert pool.world.machines[fenced.id].running is Running.OFF
    revival.advance([fenced], servers_of(pool), lease)
    pool.world.clock.sleep(Seconds(5))
    assert revival.advance([fenced], servers_of(pool), lease) == 1
    assert pool.world.machines[fenced.id].running is not Running.OFF


def test_nobody_is_told_later_of_a_host_that_was_switched_on_under_an_earlier_lease(pool):
    fenced = one_is_fenced_and_its_servers_wait(pool)
    revival = Revival(pool.store, pool.world)
    revival.advance([fenced], servers_of(pool), lease_of(pool))
    pool.world.clock.sleep(Seconds(5))
    assert revival.advance([fenced], servers_of(pool), lease_of(pool)) == 0


def test_a_host_is_switched_on_only_once_every_server_has_left_it(pool):
    hosts = sorted(pool.world.machines, key=lambda host: len(recorded_on(pool, host)))
    dead = [host for host in hosts[:2] if recorded_on(pool, host)]
    assert len(dead) == 2, "the test needs two hosts that carry something"
    for host in dead:
        pool.world.crash(host)
    revived: set[HostId] = set()

    def all_revived() -> bool:
        for host in set(dead) - revived:
            if pool.world.machines[host].running is not Running.OFF:
                assert recorded_on(pool, host) == []
                revived.add(host)
        return revived == set(dead)

    pool.until(lambda: any(isinstance(s.placement, Stranded) for s in servers_of(pool)))
    pool.until(all_revived)
    pool.until(lambda: all(s.seen is Seen.RUNNING for s in servers_of(pool)))
    assert pool.world.double_started == 0
    assert pool.world.violations == []

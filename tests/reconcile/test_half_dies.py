"""An earthquake takes half of a region's hosts at once: what restarts, in which order, and who waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.model.ids import HostId
from control_plane.model.pool import Zone
from control_plane.model.workload import Placed, Seen, Server, Stranded
from control_plane.store import Store
from tests.reconcile.small_pool import SmallPool
from tests.scenarios.setting import ServerSetting, SystemSetting

HOSTS = 20
DEAD = [HostId(f"kyoto-{number}") for number in range(1, HOSTS + 1, 2)]


@pytest.fixture
def pool(tmp_path: Path):
    """Two thirds full, with servers of every tier on every host."""
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    pool = SmallPool(store, HOSTS)
    pool.until(pool.all_up)
    for number in range(11):
        name = f"system-{number}"
        sizes = ("large", "small", "large", "small")
        servers = tuple(
            ServerSetting(f"{name}-{n}", f"app-{n}", size, start_order=n % 2)
            for n, size in enumerate(sizes)
        )
        pool.admit(SystemSetting(name, number % 4, Zone.LGWAN, servers))
    pool.until(lambda: all(s.seen is Seen.RUNNING for s in servers_of(pool)))
    yield pool
    store.close()


def servers_of(pool: SmallPool) -> tuple[Server, ...]:
    with pool.store.read() as tx:
        return tx.servers()


def half_dies(pool: SmallPool) -> None:
    """They die at one instant, and nobody can switch them on again."""
    for host in DEAD:
        pool.world.crash(host)
    pool.until(lambda: not any(on_a_dead_host(server) for server in servers_of(pool)))
    for host in DEAD:
        pool.world.kill_bmc(host)
    pool.until(lambda: all(s.seen is Seen.RUNNING or is_stranded(s) for s in servers_of(pool)))


def on_a_dead_host(server: Server) -> bool:
    return isinstance(server.placement, Placed) and server.placement.host in DEAD


def is_stranded(server: Server) -> bool:
    return isinstance(server.placement, Stranded)


def test_no_server_waits_while_one_of_a_higher_tier_was_given_a_place_that_it_fits(pool):
    before = {server.id: server for server in servers_of(pool)}
    half_dies(pool)
    fled = [server for server in servers_of(pool) if on_a_dead_host(before[server.id])]
    waiting = [server for server in fled if is_stranded(server)]
    assert waiting, "the test needs a full pool"
    for server in fled:
        if not is_stranded(server):
            passed = [w for w in waiting if w.tier < server.tier and w.size.fits_in(server.size)]
            assert passed == [], f"{server.id} (tier {server.tier}) was placed before them"


def test_whoever_waits_runs_nowhere_and_everybody_else_once(pool):
    half_dies(pool)
    servers = servers_of(pool)
    for server in servers:
        running = pool.world.hosts_running(server.id)
        placed = server.placement
        assert running == ((placed.host,) if isinstance(placed, Placed) else ())
    assert pool.world.double_started == 0
    assert pool.world.violations == []


def test_no_host_carries_more_than_it_has(pool):
    half_dies(pool)
    with pool.store.read() as tx:
        hosts = {host.id: host for host in tx.hosts()}
    for host in hosts.values():
        carried = [s for s in servers_of(pool) if s.placement == Placed(host.id)]
        assert sum(s.size.vcpu for s in carried) <= host.capacity.vcpu
        assert sum(s.size.memory for s in carried) <= host.capacity.memory


@pytest.mark.long
def test_whoever_waits_runs_once_the_hosts_are_back(pool):
    for host in DEAD:
        pool.world.crash(host)
    pool.until(lambda: any(is_stranded(server) for server in servers_of(pool)))
    pool.until(lambda: all(s.seen is Seen.RUNNING for s in servers_of(pool)), most=1200)
    assert pool.world.double_started == 0
    assert pool.world.violations == []

"""What is said of a region's promise while a failure is under way."""

from __future__ import annotations

from pathlib import Path

from control_plane.model.host_health import Suspect
from control_plane.model.pool import Zone
from control_plane.model.workload import Placed, Seen
from control_plane.store import Store
from tests.reconcile.small_pool import SmallPool
from tests.scenarios.setting import ServerSetting, SystemSetting


def said(pool: SmallPool) -> list[str]:
    with pool.store.read() as tx:
        events = tx.events(after=0, limit=1000)
    return [event.kind for event in events if event.kind.startswith("certificate.")]


def join(pool: SmallPool, name: str, servers: int) -> None:
    roles = (ServerSetting(f"{name}-{n}", f"app-{n}", "large") for n in range(servers))
    pool.admit(SystemSetting(name, 1, Zone.LGWAN, tuple(roles)))


def test_a_promise_that_newcomers_used_up_while_a_host_is_silent_is_taken_back(
    tmp_path: Path,
) -> None:
    """Four hosts with two places each: three servers survive the loss of two hosts, five do not."""
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    pool = SmallPool(store, 4)
    pool.until(pool.all_up)
    join(pool, "office", 3)

    def all_run() -> bool:
        with store.read() as tx:
            return all(server.seen is Seen.RUNNING for server in tx.servers())

    pool.until(all_run)
    with store.read() as tx:
        (placed, *_) = [s.placement for s in tx.servers() if isinstance(s.placement, Placed)]
    number = int(placed.host.removeprefix("kyoto-"))
    pool.world.kill_bmc(placed.host)
    pool.world.remove_watchdog(placed.host)
    pool.world.stop_heartbeat(placed.host)
    pool.world.crash(placed.host)
    pool.until(lambda: isinstance(pool.host(number).health, Suspect))
    since = pool.world.clock.monotonic()
    pool.until(lambda: pool.world.clock.monotonic() > since + 40)
    assert said(pool)[-1] == "certificate.valid"
    join(pool, "library", 2)
    pool.until(lambda: said(pool)[-1] == "certificate.incomplete", most=60)
    store.close()

"""A host dies under what is guaranteed: what runs comes first, and what is short is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.admission import guarantee
from control_plane.model.allotment import Capacity
from control_plane.model.ids import HostId
from control_plane.model.pool import Zone
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.model.workload import Placed, Seen, Server
from control_plane.placement import check, held, unproved
from control_plane.store import Store
from tests.reconcile.small_pool import REGION, SmallPool
from tests.scenarios.joining import MEMBER
from tests.scenarios.setting import ServerSetting, SystemSetting

FIRST = HostId("kyoto-1")
ALL = Capacity(VCpu(14), MiB(28 * 1024), GiB(100))


@pytest.fixture
def pool(tmp_path: Path):
    """Three hosts of 8 vCPU, four servers of one vCPU, and a guarantee of 14: two hosts survive."""
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    pool = SmallPool(store, 3)
    pool.until(pool.all_up)
    servers = tuple(ServerSetting(f"s-{n}", f"app-{n}", "small", start_order=0) for n in range(4))
    pool.admit(SystemSetting("records", 0, Zone.LGWAN, servers))
    guarantee(store, REGION, MEMBER.code, ALL, lambda _, __: None, quota=ALL)
    pool.until(lambda: all(s.seen is Seen.RUNNING for s in servers_of(pool)))
    yield pool
    store.close()


def servers_of(pool: SmallPool) -> tuple[Server, ...]:
    with pool.store.read() as tx:
        return tx.servers()


def said(pool: SmallPool, kind: str) -> list[tuple[str | None, dict[str, object]]]:
    with pool.store.read() as tx:
        events = tx.events(0, 10_000)
    return [(event.tenant, dict(event.fields or {})) for event in events if event.kind == kind]


def test_servers_restart_first_and_the_guarantee_comes_back_with_the_host(pool: SmallPool) -> None:
    pool.world.crash(FIRST)
    pool.world.kill_bmc(FIRST)

    def look() -> bool:
        with pool.store.read() as tx:
            # Failing over counts nothing twice.
            assert tx.used_by(MEMBER.code, REGION).vcpu == 4
        fled = all(server.placement != Placed(FIRST) for server in servers_of(pool))
        return fled and all(server.seen is Seen.RUNNING for server in servers_of(pool))

    pool.until(look)
    with pool.store.read() as tx:
        ledger = tx.ledger(REGION)
    # Of two hosts one survives: 8 vCPU, and half of them are used.
    assert check(ledger) == ()
    assert held(ledger, MEMBER.code.text).vcpu == 4
    assert unproved(ledger)[MEMBER.code.text].vcpu == 6
    # Less was short while the host was only suspect and nobody's refuge.
    tenant, fields = said(pool, "guarantee.unproved")[-1]
    assert tenant == MEMBER.code.text
    assert fields["unproved"] == {"vcpus": 6, "memory_mib": 12 * 1024, "disk_gib": 12}

    pool.world.repair_bmc(FIRST)
    pool.world.power_on(FIRST)
    pool.until(lambda: bool(said(pool, "guarantee.proved")))
    with pool.store.read() as tx:
        ledger = tx.ledger(REGION)
    assert check(ledger) == ()
    assert unproved(ledger) == {}

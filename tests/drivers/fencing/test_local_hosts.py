"""Hosts of a local pool, with their BMCs and agents, as a control plane's real World meets them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from control_plane.drivers.fencing.redfish import Patience
from control_plane.drivers.real import RealWorld, Settings
from control_plane.drivers.world import FenceFailed, Sign
from control_plane.model.fence import FenceKind
from control_plane.model.units import Seconds
from deploy.local import processes
from deploy.local.agent import AgentTimings, read_lease, start_agent
from deploy.local.bmc import LocalBmcs
from tests.drivers.fencing.namespace_host import eventually
from tests.drivers.fencing.samples import a_host

pytestmark = pytest.mark.hypervisor

pytest.importorskip("sushy_tools", reason="the Redfish emulator is in the extra 'local'")

TIMINGS = AgentTimings(interval=Seconds(0.3), ttl=Seconds(4.0), watchdog=Seconds(4.0))


@pytest.fixture(scope="module")
def bmcs(pool, tmp_path_factory):
    running = LocalBmcs.start(pool, tmp_path_factory.mktemp("bmcs"))
    yield running
    running.stop()


@pytest.fixture
def hosts(pool, bmcs):
    """Both on, with agents, their BMCs well."""
    for host in pool.hosts:
        bmcs.revive(host.id)
        if not pool.is_on(host.id):
            pool.power_on(host.id)
        lease = read_lease(pool, host.id)
        agents = [pid for pid in _inside(pool, host.id) if b"yui_host_agent" in _command(pid)]
        if lease is None or not agents:
            start_agent(pool, host.id, TIMINGS)
    return [
        a_host(host.id, **_fields(pool.endpoint(host.id, bmcs.of(host.id)))) for host in pool.hosts
    ]


@pytest.fixture
def world():
    settings = Settings(
        lease_margin=Seconds(1.0),
        bmc=Patience(answer=Seconds(10.0), settle=Seconds(0.2)),
    )
    world = RealWorld(settings)
    yield world
    world.close()


def hear(world, hosts):
    """What each channel hears of each host, all asked side by side as the reconciler does."""
    asked = [(channel, host) for host in hosts for channel in world.channels()]
    answers = world.run_all([lambda c=c, h=h: c.listen(h) for c, h in asked])
    return [tuple(answers[i : i + 2]) for i in range(0, len(answers), 2)]


def test_a_host_that_is_cut_off_is_fenced_by_its_bmc_and_comes_back_as_another_boot(
    world, hosts, pool
):
    first, _ = hosts
    heartbeat = world.channels()[1]
    hear(world, hosts)
    eventually(lambda: hear(world, hosts) == [(Sign.ALIVE, Sign.ALIVE)] * 2, "both are heard")
    boot = world.leases.boot_id(first.id)
    pool.cut_network(first.id)
    only_cut_off = [(Sign.SILENT, Sign.ALIVE), (Sign.ALIVE, Sign.ALIVE)]
    eventually(lambda: hear(world, hosts) == only_cut_off, "only the network of one is silent")

    redfish, _ = world.fencers(first)
    evidence = redfish.fence(first)
    assert evidence.kind is FenceKind.REDFISH_POWER_OFF
    assert _inside(pool, first.id) == []
    eventually(lambda: heartbeat.listen(first) is Sign.SILENT, "its lease stands still")

    pool.join_network(first.id)
    world.switch_on(first)
    eventually(lambda: hear(world, hosts)[0] == (Sign.ALIVE, Sign.ALIVE), "it is heard again")
    assert world.leases.boot_id(first.id) not in (None, boot)


def test_a_stuck_host_whose_bmc_is_dead_is_fenced_by_its_lease(world, hosts, pool, bmcs):
    _, second = hosts
    bmcs.kill(second.id)
    redfish, lease = world.fencers(second)
    with pytest.raises(FenceFailed, match="broke the connection off"):
        redfish.fence(second)
    assert pool.is_on(second.id)
    for pid in _inside(pool, second.id):
        if b"yui_host_agent" in _command(pid) and _name(pid) != "yui-watchdog":
            os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 120
    while True:
        try:
            evidence = lease.fence(second)
        except FenceFailed:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            left = _inside(pool, second.id)
            break
    assert evidence.kind is FenceKind.LEASE_EXPIRED
    assert left == []
    assert not pool.is_on(second.id)


def test_when_no_host_is_heard_at_all_nothing_is_known(world, hosts, pool):
    for host in pool.hosts:
        pool.cut_network(host.id)
    try:
        eventually(
            lambda: [management for management, _ in hear(world, hosts)] == [Sign.UNKNOWN] * 2,
            "both are unknown",
        )
    finally:
        for host in pool.hosts:
            pool.join_network(host.id)


def _fields(endpoint):
    return {name: getattr(endpoint, name) for name in endpoint.__dataclass_fields__}


def _inside(pool, host):
    """Processes of the host's own process namespace that can still do anything."""
    inode = processes.identity(pool.host(host).namespace)
    return [pid for pid in processes.members(inode) if _is_inside(pid)]


def _is_inside(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return len(fields["NSpid"].split()) > 1 and fields["State"].split()[0] not in "ZX"


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""

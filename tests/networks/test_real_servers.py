"""Real packets between real servers of two members in two zones on two hosts, planned by the control
plane's own planner: what must pass passes, and nothing else does.

One story in several chapters, because servers that are emulated take long to boot. Every server tries
to reach everything again and again and says on its console what it reached."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from control_plane.drivers.protocol import NetworkNotReady, RunState
from control_plane.model.ids import HostId, ServerId
from control_plane.model.image import Image
from control_plane.model.network import BindingState
from deploy.local import processes
from deploy.local.agent import boot
from deploy.local.network_agent import start_network_agent
from tests.drivers.contract import launch, prepare
from tests.drivers.libvirt.conftest import tiny
from tests.local.hosts import local_pool
from tests.networks.servers import EAST, WEST, Talk, Town, until

__all__ = ["tiny"]
pytestmark = [pytest.mark.hypervisor, pytest.mark.timeout(900)]

PLACES = {"a-1": EAST, "a-2": WEST, "i-1": WEST, "b-1": WEST, "b-2": EAST}


@pytest.fixture
def town(tmp_path: Path, tiny: Image) -> Iterator[Town]:
    with local_pool(tmp_path / "pool", accelerated=None, segments=True) as pool:
        made = Town(pool, tiny, tmp_path)
        try:
            yield made
        finally:
            made.close()


def everything(town: Town, asker: str) -> list[Talk]:
    """All that a server could try: others' ports, gateways, hosts, and the machine that is the office."""
    others = [name for name in PLACES if name != asker]
    talks: list[Talk] = [(how, o, p) for o in others for how, p in (("http", 443), ("ping", 0))]
    talks += [("http", other, 80) for other in others if other[0] == asker[0]]
    talks += [("ping", town.gateway(name), 0) for name in town.networks]
    return [*talks, *(("ping", host.address, 0) for host in town.pool.hosts)]


def expected(town: Town, *, binding: bool = True) -> dict[str, set[Talk]]:
    def reaches(asker: str, talk: Talk) -> bool:
        how, whom, port = talk
        if whom not in town.servers:
            return whom == town.gateway(asker[0])
        bound = binding and asker[0] == "a" and (how, whom, port) == ("http", "b-1", 443)
        return bound or asker[0] == whom[0]

    return {
        name: {talk for talk in everything(town, name) if reaches(name, talk)} for name in PLACES
    }


def office_reaches(town: Town, name: str, port: int) -> bool:
    try:
        answer = httpx.get(f"http://{town.address(name)}:{port}/health", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.json()["server"] == name


def test_what_must_pass_between_members_servers_passes_and_nothing_else_does(town: Town) -> None:
    for name, host in PLACES.items():
        town.add(name, host)

    # A server whose network is not there yet is refused by name, and starts once it is.
    first = town.spec("a-1", everything(town, "a-1"))
    prepare(town.drivers[EAST], first)
    with pytest.raises(NetworkNotReady, match="has not yet made the network"):
        town.drivers[EAST].start(first.id)
    town.plan()
    town.start_agents()
    town.wait_for_networks()
    town.drivers[EAST].start(first.id)
    for name, host in list(PLACES.items())[1:]:
        launch(town.drivers[host], town.spec(name, everything(town, name)))
    town.route(WEST)
    town.until_reached(expected(town))
    assert_offices(town)

    # The rules change, and the binding is revoked.
    town.opened, town.bindings = (8080,), (BindingState.REVOKED,)
    town.plan()
    town.until_reached(expected(town, binding=False))
    assert_offices(town)
    town.opened, town.bindings = (80,), (BindingState.APPROVED,)
    town.plan()
    town.until_reached(expected(town))

    # Nothing moves to a host that has not made its network yet.
    target = town.pool.host(EAST).address
    with pytest.raises(NetworkNotReady, match=f"Host {target} has not yet made"):
        town.drivers[WEST].migrate(ServerId("i-1"), town.pool.endpoint(EAST))

    # A server moves to a host that had no server of its network, and all is as it was.
    town.move("i-1", EAST)
    town.move("a-2", EAST)
    town.until_reached(expected(town))
    assert_offices(town)

    # Without the control plane, and with agents that start again, too.
    for host in town.pool.hosts:
        town.plan_file(host.id).unlink()
        stop_network_agent(town, host.id)
        start_network_agent(town.pool, host.id)
    town.until_reached(expected(town))

    # A host that lost its power has its network again from its own disk.
    town.pool.power_off(WEST)
    boot(town.pool, WEST)
    until(lambda: town.drivers[WEST].list_servers() is not None)
    town.wait_for_networks()
    town.drivers[WEST].start(ServerId("b-1"))
    town.until_reached(expected(town))
    assert {s.state for s in town.drivers[WEST].list_servers()} == {RunState.RUNNING}
    assert_offices(town)


def assert_offices(town: Town) -> None:
    """The office reaches the opened port of its own member's servers in its zone, through any host that
    has one of them."""
    asked = [(name, port) for name in PLACES for port in (80, 8080, 443)]
    for host in sorted({town.host_of(name) for name in PLACES if name[0] == "a"}):
        town.route(host)
        with ThreadPoolExecutor(len(asked)) as threads:
            answered = threads.map(lambda one: office_reaches(town, *one), asked)
            reached = {one for one, yes in zip(asked, answered, strict=True) if yes}
        assert reached == {(n, p) for n, p in asked if n[0] == "a" and p in town.opened}, host


def stop_network_agent(town: Town, host: str) -> None:
    inode = processes.identity(town.pool.host(HostId(host)).namespace)
    assert inode is not None
    agents = [pid for pid in processes.members(inode) if b"yui_network_agent" in command_of(pid)]
    assert agents
    for pid in agents:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not any(command_of(pid) for pid in agents))


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

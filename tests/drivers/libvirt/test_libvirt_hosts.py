"""How the libvirt driver lives with hosts that hang, die and come back, and with others' machines."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import libvirt
import pytest

from control_plane.drivers.libvirt import LibvirtDriver
from control_plane.drivers.protocol import (
    DriverError,
    HostUnreachable,
    NoSuchServer,
    RunState,
    ServerSpec,
)
from control_plane.model.ids import Generation, ServerId
from control_plane.model.units import Seconds
from deploy.local import processes
from tests.drivers.contract import launch, prepare, seen, state
from tests.drivers.libvirt.two_hosts import LibvirtHosts

pytestmark = pytest.mark.hypervisor

STRANGER = """
<domain type='qemu'><name>stranger</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


@contextmanager
def libvirt_of(hosts: LibvirtHosts) -> Iterator[libvirt.virConnect]:
    connection = libvirt.open(hosts.first_endpoint.uri)
    try:
        yield connection
    finally:
        connection.close()


def daemon_of_first(hosts: LibvirtHosts) -> int:
    inode = processes.identity(hosts.pool.hosts[0].namespace)
    assert inode is not None
    found = [
        pid
        for pid in processes.members(inode)
        if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd"
    ]
    assert found
    return min(found)


def test_a_daemon_that_hangs_makes_its_host_unreachable_and_not_the_caller_hang(
    hosts: LibvirtHosts,
) -> None:
    connected = LibvirtDriver(hosts.first_endpoint, patience=Seconds(2))
    fresh = LibvirtDriver(hosts.first_endpoint, patience=Seconds(2))
    connected.list_servers()
    daemon = daemon_of_first(hosts)
    os.kill(daemon, signal.SIGSTOP)
    try:
        with pytest.raises(HostUnreachable):
            connected.list_servers()
        with pytest.raises(HostUnreachable):
            fresh.list_servers()
    finally:
        os.kill(daemon, signal.SIGCONT)
    for driver in (connected, fresh):
        hosts.until(lambda driver=driver: _answers(driver))
        driver.close()


def _answers(driver: LibvirtDriver) -> bool:
    try:
        driver.list_servers()
    except HostUnreachable:
        return False
    return True


def test_one_driver_serves_many_threads(hosts: LibvirtHosts) -> None:
    specs = [hosts.spec() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda spec: prepare(hosts.first, spec), specs))
        lists = list(threads.map(lambda _: hosts.first.list_servers(), range(24)))
    wanted = {spec.id for spec in specs}
    assert all(wanted == {server.id for server in servers} for servers in lists)


def test_others_machines_are_named_and_never_touched(hosts: LibvirtHosts) -> None:
    with libvirt_of(hosts) as connection:
        stranger = connection.createXML(STRANGER, 0)
        try:
            assert hosts.first.facts().foreign == ("stranger",)
            assert hosts.first.list_servers() == []
            name = ServerId("stranger")
            hosts.first.destroy(name, Generation(1))
            hosts.first.undefine(name, Generation(1))
            with pytest.raises(NoSuchServer):
                hosts.first.start(name)
            assert stranger.isActive()
        finally:
            stranger.destroy()


def test_a_suspended_server_is_listed_as_such_and_goes_on_when_started(
    hosts: LibvirtHosts,
) -> None:
    spec = hosts.spec()
    launch(hosts.first, spec)
    with libvirt_of(hosts) as connection:
        connection.lookupByName(spec.id).suspend()
    assert state(hosts.first, spec) is RunState.SUSPENDED
    later = replace(spec, generation=Generation(spec.generation + 1))
    hosts.first.define(later)
    assert seen(hosts.first, spec) == (later.generation, RunState.SUSPENDED)
    hosts.first.start(spec.id)
    assert state(hosts.first, spec) is RunState.RUNNING


def test_a_stale_definition_at_the_target_gives_way_to_the_one_that_arrives(
    hosts: LibvirtHosts,
) -> None:
    spec = replace(hosts.spec(), generation=Generation(5))
    prepare(hosts.second, replace(spec, generation=Generation(2)))
    launch(hosts.first, spec)
    hosts.first.migrate(spec.id, hosts.second_endpoint)
    assert seen(hosts.second, spec) == (5, RunState.RUNNING)
    hosts.second.destroy(spec.id, spec.generation)
    assert seen(hosts.second, spec) == (5, RunState.STOPPED)


def test_a_migration_that_had_already_arrived_is_no_error(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    launch(hosts.first, spec)
    for _ in range(2):
        hosts.first.migrate(spec.id, hosts.second_endpoint)
    assert state(hosts.second, spec) is RunState.RUNNING


def test_hosts_that_do_not_share_their_storage_do_not_exchange_servers(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    """Both have storage at this path, and it is not the same."""
    path = tmp_path / "own"
    path.mkdir()
    spec = hosts.spec()
    spec = replace(spec, volume=replace(spec.volume, pool_path=str(path)))
    (path / "yui-pool").mkdir()
    launch(hosts.first, spec)
    _on_second(hosts, "mount", "-t", "tmpfs", "tmpfs", str(path))
    try:
        _on_second(hosts, "mkdir", "-p", str(path / "yui-pool"), str(path / spec.id))
        with pytest.raises(DriverError, match="does not share"):
            hosts.first.migrate(spec.id, hosts.second_endpoint)
        assert state(hosts.first, spec) is RunState.RUNNING
        assert state(hosts.second, spec) is None
    finally:
        _on_second(hosts, "umount", str(path))
        hosts.first.destroy(spec.id, spec.generation)


def _on_second(hosts: LibvirtHosts, *command: str) -> None:
    subprocess.run(hosts.pool.command_on(hosts.pool.hosts[1].id, *command), check=True)


def test_a_guest_keeps_its_records_when_its_host_loses_power_and_when_it_moves(
    hosts: LibvirtHosts,
) -> None:
    """The whole road: a guest takes its address from the seed, answers over the pool's network, is
    cut off with its host, comes back on the other one and moves home while it runs."""
    spec = hosts.spec(boots=True)
    first = hosts.pool.hosts[0].id
    launch(hosts.first, spec)
    hosts.until(lambda: _health(spec) is not None)
    kept = httpx.post(
        f"http://{_ip(spec)}/records", content="住民票 1", trust_env=False, timeout=30
    )
    assert kept.status_code == 201

    hosts.pool.power_off(first)
    with pytest.raises(HostUnreachable):
        hosts.first.list_servers()
    prepare(hosts.second, replace(spec, generation=Generation(2)))
    hosts.second.start(spec.id)
    hosts.until(lambda: _health(spec) is not None)
    assert _records(spec) == ["住民票 1"]

    hosts.switch_on(first)
    assert seen(hosts.first, spec) == (1, RunState.STOPPED)
    boot = _health(spec)["boot_id"]
    hosts.second.migrate(spec.id, hosts.first_endpoint)
    assert seen(hosts.first, spec) == (2, RunState.RUNNING)
    hosts.until(lambda: _health(spec) is not None)
    assert _health(spec)["boot_id"] == boot
    assert _records(spec) == ["住民票 1"]
    assert hosts.greeting in hosts.first.console(spec.id, 64 * 1024)


def _ip(spec: ServerSpec) -> str:
    return spec.address.partition("/")[0]


def _health(spec: ServerSpec) -> dict[str, object] | None:
    try:
        answer = httpx.get(f"http://{_ip(spec)}/health", trust_env=False, timeout=5)
    except httpx.TransportError:
        return None
    return answer.json() if answer.status_code == 200 else None


def _records(spec: ServerSpec) -> list[str]:
    return httpx.get(f"http://{_ip(spec)}/records", trust_env=False, timeout=30).json()["records"]

"""A pool of hosts on one machine: it behaves like machines, and it goes without a trace."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libvirt
import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId
from control_plane.model.units import GiB, MiB, VCpu
from deploy.local import Bmc, LocalFlavor, LocalPool, LocalSite, network, processes
from deploy.local.state import prefix_for
from tests.local.hosts import KYOTO, local_pool, need_local_hosts

pytestmark = pytest.mark.hypervisor

SAGA = LocalSite("saga-dc", region="saga", name="佐賀センター", prefectures=("佐賀県", "徳島県"))


def traces(root: Path) -> list[str]:
    """What a pool under `root` has on this machine beyond its files."""
    prefix = prefix_for(root.resolve())
    named = [name for name in network.namespaces() | network.links() if name.startswith(prefix)]
    mounted = [line for line in Path("/proc/mounts").read_text().splitlines() if str(root) in line]
    running = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and str(root).encode() in _arguments(entry)
    ]
    return [*named, *mounted, *running]


def _arguments(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "what was awaited did not come"
        time.sleep(0.05)


def answers(pool: LocalPool, host: HostId) -> bool:
    try:
        socket.create_connection((pool.host(host).address, 16509), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_pool_goes_without_a_trace(tmp_path: Path) -> None:
    root = tmp_path / "pool"
    with local_pool(root, [KYOTO, SAGA], hosts_per_site=1) as pool:
        assert [host.id for host in pool.hosts] == ["kyoto-dc-1", "saga-dc-1"]
        assert all(answers(pool, host.id) for host in pool.hosts)
        assert traces(root)
    assert traces(root) == []
    assert not root.exists()
    pool.destroy()


def test_files_that_were_there_before_the_pool_stay(tmp_path: Path) -> None:
    need_local_hosts()
    (tmp_path / "notes.txt").write_text("keep")
    with local_pool(tmp_path, hosts_per_site=1):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_pool_whose_maker_was_killed_half_way_can_be_removed(tmp_path: Path) -> None:
    need_local_hosts()
    root = tmp_path / "pool"
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from deploy.local import LocalPool, LocalSite\n"
        "LocalPool.create(Path(sys.argv[1]), [LocalSite('kyoto-dc', 'kyoto')], 3,"
        " subnet=sys.argv[2], accelerated=False)\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", program, str(root), network.free_subnet()],
        cwd=Path(__file__).parents[2],
    )
    until(lambda: any("-2" in name for name in traces(root)) or maker.poll() is not None)
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    assert traces(root)
    assert LocalPool.remove(root)
    assert traces(root) == []
    assert not root.exists()
    assert not LocalPool.remove(root)


def test_a_pool_whose_files_were_deleted_under_it_can_still_be_removed(tmp_path: Path) -> None:
    root = tmp_path / "pool"
    with local_pool(root, hosts_per_site=1):
        until(lambda: shutil.rmtree(root, ignore_errors=True) or not root.exists())
        with pytest.raises(YuiError) as refused:
            LocalPool.create(root, [KYOTO], 1, subnet=network.free_subnet(), accelerated=False)
        assert refused.value.type == "local-pool-exists"
        assert traces(root)
        assert LocalPool.remove(root)
        assert traces(root) == []
        assert not LocalPool.remove(root)


def test_two_makers_never_share_a_network() -> None:
    """Both found it free; the names of the kernel decide."""
    need_local_hosts()
    subnet = network.parse_subnet(network.free_subnet())
    try:
        network.make_fabric("yui-test-one", subnet, 1)
        with pytest.raises(YuiError) as refused:
            network.make_fabric("yui-test-two", subnet, 1)
        assert refused.value.type == "local-subnet-in-use"
    finally:
        for name in network.links() & {"yui-test-one", "yui-test-two"}:
            network.ip("link", "delete", name)


def test_a_second_process_finds_the_pool_and_switches_its_hosts(tmp_path: Path) -> None:
    with local_pool(tmp_path / "pool", hosts_per_site=1) as pool:
        other = LocalPool.open(tmp_path / "pool")
        assert other is not None
        assert other.hosts == pool.hosts
        other.power_off(pool.hosts[0].id)
        assert not pool.is_on(pool.hosts[0].id)


def test_two_pools_stand_side_by_side(tmp_path: Path) -> None:
    with (
        local_pool(tmp_path / "a", hosts_per_site=1) as one,
        local_pool(tmp_path / "b", hosts_per_site=1) as other,
    ):
        host = one.hosts[0].id
        assert one.subnet != other.subnet
        one.power_off(host)
        assert answers(other, host)
        with pytest.raises(YuiError) as refused:
            LocalPool.create(
                tmp_path / "a", [KYOTO], 1, subnet=network.free_subnet(), accelerated=False
            )
        assert refused.value.type == "local-pool-exists"
        assert one.hosts
    assert traces(tmp_path / "a") == traces(tmp_path / "b") == []


def test_a_network_that_is_in_use_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with local_pool(tmp_path / "a", hosts_per_site=1) as pool:
        with pytest.raises(YuiError) as refused:
            LocalPool.create(tmp_path / "b", [KYOTO], 1, subnet=pool.subnet)
        assert refused.value.type == "local-subnet-in-use"
        assert pool.subnet in refused.value.en
        assert not (tmp_path / "b").exists()


def test_a_power_cut_ends_everything_on_the_host_at_once(tmp_path: Path) -> None:
    with local_pool(tmp_path / "pool") as pool:
        first, second = (host.id for host in pool.hosts)
        sleeper = subprocess.Popen(pool.command_on(first, "setsid", "sleep", "600"))
        inode = processes.identity(pool.host(first).namespace)
        assert inode is not None
        until(lambda: len(list(processes.members(inode))) >= 5)
        pool.power_off(first)
        assert list(processes.members(inode)) == []
        assert sleeper.wait(timeout=30) != 0
        assert not pool.is_on(first)
        assert not answers(pool, first)
        assert answers(pool, second)
        pool.power_off(first)
        with pytest.raises(YuiError) as refused:
            pool.command_on(first, "true")
        assert refused.value.type == "host-is-off"
        pool.power_on(first)
        assert answers(pool, first)


def test_a_cut_host_runs_on_unreached(tmp_path: Path) -> None:
    with local_pool(tmp_path / "pool") as pool:
        first, second = (host.id for host in pool.hosts)
        pool.cut_network(first)
        assert pool.is_on(first)
        assert not answers(pool, first)
        assert answers(pool, second)
        pool.join_network(first)
        until(lambda: answers(pool, first))


def test_each_host_is_a_machine_of_its_own(tmp_path: Path) -> None:
    with local_pool(tmp_path / "pool") as pool:
        identities = set()
        for host in pool.hosts:
            connection = libvirt.open(pool.endpoint(host.id).uri)
            assert connection.getHostname() == host.id
            capabilities = connection.getCapabilities()
            identities.add(capabilities.partition("<uuid>")[2].partition("</uuid>")[0])
            connection.close()
        assert len(identities) == 2


def test_hosts_see_no_kvm_where_it_cannot_run_guests(tmp_path: Path) -> None:
    with local_pool(tmp_path / "pool", hosts_per_site=1, accelerated=False) as pool:
        connection = libvirt.open(pool.endpoint(pool.hosts[0].id).uri)
        assert "<domain type='qemu'" in connection.getCapabilities()
        assert "<domain type='kvm'" not in connection.getCapabilities()
        connection.close()


def test_the_description_says_how_to_reach_everything(tmp_path: Path) -> None:
    with local_pool(tmp_path / "pool", [KYOTO, SAGA], hosts_per_site=1) as pool:
        described = pool.describe(
            bmcs={HostId("saga-dc-1"): Bmc("http://10.1.2.3:8000", "uuid", "admin", "env:BMC")},
            flavors=[LocalFlavor("tiny", VCpu(1), MiB(96), GiB(1))],
            vcpus=VCpu(4),
            memory=MiB(1024),
            storage_capacity=GiB(10),
        )
        assert json.loads(json.dumps(described)) == described
        assert [region["prefectures"] for region in described["regions"]] == [
            [],
            ["佐賀県", "徳島県"],
        ]
        kyoto, saga = described["hosts"]
        assert kyoto["connection"]["uri"] == pool.endpoint(HostId("kyoto-dc-1")).uri
        assert "bmc_url" not in kyoto["connection"]
        assert {"bmc_password_ref": "env:BMC"}.items() <= saga["connection"].items()
        storage = Path(described["sites"][1]["storage_pools"][0]["path"])
        assert (storage / "yui-pool").is_dir()
        assert Path(saga["connection"]["lease_path"]).parent == storage / "leases"
        assert (storage / "leases").is_dir()

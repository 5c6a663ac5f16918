"""Real agents in real namespaces: they keep their leases, and their hosts die when they can't."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

from control_plane.drivers.fencing import LeaseChannel, LeaseFencer, LeaseWatch
from control_plane.drivers.system_clock import SystemClock
from control_plane.drivers.world import FenceFailed, Sign
from control_plane.model.units import Seconds
from deploy.local.prerequisites import may_make_hosts
from tests.drivers.fencing.namespace_host import eventually, namespace_host

pytestmark = pytest.mark.hypervisor


@pytest.fixture(autouse=True)
def rights():
    if not may_make_hosts():
        pytest.skip("network and mount namespaces can't be made here: run as root")


@pytest.fixture
def storage(tmp_path):
    place = tmp_path / "storage"
    place.mkdir()
    return place


@pytest.fixture
def make_host(tmp_path, storage):
    with ExitStack() as cleanup:

        def make(name="kyoto-1"):
            host = cleanup.enter_context(namespace_host(name, tmp_path, storage))
            host.start_writer()
            return host

        yield make


def why_not(fencer, host):
    with pytest.raises(FenceFailed) as failure:
        fencer.fence(host.host)
    return str(failure.value)


def refused(host, **changes):
    """What an agent says that ends without having armed anything."""
    assert host.start_agent(**changes).wait(30) == 2
    return host.log


def test_everything_on_a_host_is_dead_before_its_lease_is_evidence(make_host):
    stopped, cut_off, restarted, well = hosts = [
        make_host(name) for name in ("stopped", "cut-off", "restarted", "well")
    ]
    agents = [host.start_agent() for host in hosts]
    clock = SystemClock()
    watch = LeaseWatch(clock)
    channel, fencer = LeaseChannel(watch), LeaseFencer(clock, watch, margin=Seconds(1.0))
    for host in hosts:
        host.wait_for_lease()
        channel.listen(host.host)
    for host in hosts:
        eventually(lambda h=host: channel.listen(h.host) is Sign.ALIVE, f"{host.name} is heard")

    agents[0].send_signal(signal.SIGSTOP)
    cut_off.make_storage_read_only()
    restarted.make_storage_read_only()

    evidence_at = {}
    left = {}
    began = time.monotonic()
    while len(evidence_at) < 3:
        assert time.monotonic() - began < 120, "some fence never held"
        for host in (stopped, cut_off, restarted):
            if host is restarted and agents[2].poll() is None:
                agents[2].kill()
            elif host is restarted and host.alive():
                # An agent that starts over and over has nothing to show and must not help.
                agents[2] = host.start_agent()
            if host.name not in evidence_at:
                try:
                    fencer.fence(host.host)
                except FenceFailed:
                    continue
                evidence_at[host.name] = time.monotonic()
                left[host.name] = host.alive()
        assert fencer_refuses(fencer, well)
        time.sleep(0.05)

    for host in (stopped, cut_off, restarted):
        assert left[host.name] == []
        assert host.last_write() < evidence_at[host.name]
        assert channel.listen(host.host) is Sign.SILENT
    assert channel.listen(well.host) is Sign.ALIVE
    before = well.last_write()
    eventually(lambda: well.last_write() > before, "the server on the healthy host goes on")


def fencer_refuses(fencer, host):
    return "seen unchanged" in why_not(fencer, host)


def test_an_agent_stopped_in_order_leaves_its_host_alone_and_its_lease_worthless(make_host):
    host = make_host()
    agent = host.start_agent()
    host.wait_for_lease()
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(30) == 0
    lease = host.lease()
    assert lease is not None
    assert not lease.armed
    eventually(lambda: len(host.alive()) == 2, "the watchdog has gone with the agent")
    clock = SystemClock()
    fencer = LeaseFencer(clock, LeaseWatch(clock))
    assert "no watchdog is armed" in why_not(fencer, host)
    before = host.last_write()
    eventually(lambda: host.last_write() > before, "the server goes on")


def test_a_crashed_agent_that_is_started_again_keeps_its_host_alive(make_host):
    host = make_host()
    agent = host.start_agent()
    first = host.wait_for_lease()
    crashed_at = time.monotonic()
    agent.kill()
    agent.wait()
    host.start_agent()
    second = host.wait_for_lease(agent=first.agent)
    assert second.boot_id == first.boot_id
    when_it_would_have_fired = crashed_at + first.watchdog
    while time.monotonic() < when_it_would_have_fired + 0.5:
        assert host.alive()
        time.sleep(0.1)
    before = host.last_write()
    eventually(lambda: host.last_write() > before, "the server goes on")


def test_full_storage_resets_nobody(make_host, storage):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(storage)], check=True)
    host = make_host()
    try:
        host.start_agent()
        first = host.wait_for_lease()
        with pytest.raises(OSError, match="No space left"):
            (storage / "filler").write_bytes(b"x" * 2**20)
        full_at = host.lease().sequence
        eventually(lambda: host.lease().sequence > full_at + 3, "the lease goes on")
        assert host.lease().agent == first.agent
    finally:
        host.destroy()
        subprocess.run(["umount", str(storage)], check=True)


def test_a_lease_put_in_the_place_of_ones_own_is_not_overwritten(make_host, storage):
    """Such as an old copy of the storage, which others would watch stand still."""
    host = make_host()
    host.start_agent()
    old = host.wait_for_lease()
    (storage / "copy").write_bytes(host.lease_path.read_bytes())
    eventually(lambda: host.lease().sequence > old.sequence + 3, "the lease goes on")
    (storage / "copy").rename(host.lease_path)
    eventually(lambda: not host.alive(), "the host is reset")
    assert "not the lease that was stored last" in host.log
    assert host.lease().sequence <= old.sequence + 3


def test_nothing_is_armed_while_the_storage_takes_no_lease(make_host):
    host = make_host()
    host.lease_path = host.lease_path.parent / "not-mounted" / "kyoto-1"
    agent = host.start_agent()
    eventually(lambda: "was not claimed" in host.log, "the agent says why")
    assert len(host.alive()) == 3
    host.lease_path.parent.mkdir()
    host.wait_for_lease()
    assert agent.poll() is None


def test_the_service_manager_hears_of_it_once_the_first_lease_is_kept(make_host, tmp_path):
    """So that it starts no hypervisor before."""
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service_manager:
        service_manager.bind(str(place))
        service_manager.settimeout(60)
        host = make_host()
        host.start_agent(notify_socket=str(place))
        assert service_manager.recv(64) == b"READY=1"
    lease = host.lease()
    assert lease is not None
    assert lease.armed


def test_a_device_that_is_no_watchdog_is_refused(make_host):
    host = make_host()
    assert "watchdog /dev/null can't be set" in refused(host, watchdog="/dev/null")
    lease = host.lease()
    assert lease is not None
    assert not lease.armed


def test_a_second_agent_on_a_host_leaves_the_first_alone(make_host):
    host = make_host()
    host.start_agent()
    first = host.wait_for_lease()
    assert "another agent runs" in refused(host)
    eventually(lambda: host.lease().sequence > first.sequence, "the lease goes on")
    assert host.lease().agent == first.agent


def test_an_agent_does_not_take_another_hosts_lease(make_host):
    owner, other = make_host("kyoto-1"), make_host("kyoto-2")
    owner.start_agent()
    owner.wait_for_lease()
    other.lease_path = owner.lease_path
    assert "belongs to host kyoto-1" in refused(other)
    assert owner.lease().host == "kyoto-1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"watchdog": "namespace:1"}, "not network namespace 1"),
        ({"watchdog": "softly"}, "neither a device's path nor namespace"),
        ({"watchdog": "/dev/no-such-watchdog"}, "no watchdog /dev/no-such-watchdog"),
        ({"watchdog_timeout": 60.0}, "watchdog_timeout <= ttl"),
        ({"interval": 5.0}, "interval < watchdog_timeout"),
        ({"interval": "soon"}, "not as expected"),
        ({"colour": "red"}, "not as expected"),
    ],
    ids=["wrong-namespace", "no-device", "missing-device", "ttl", "interval", "text", "unknown"],
)
def test_a_mistaken_configuration_is_told_in_a_sentence_and_arms_nothing(
    tmp_path, storage, changes, said
):
    with namespace_host("kyoto-1", tmp_path, storage) as host:
        assert said in refused(host, **changes)
        assert "Traceback" not in host.log
        assert len(host.alive()) == 1
        assert host.lease() is None

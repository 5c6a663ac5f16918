"""What a real World gives for a host, from nothing but its endpoint."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from control_plane.drivers.real import NoDriver, RealWorld
from control_plane.drivers.world import Sign, World
from control_plane.model.units import Seconds
from tests.drivers.fencing.samples import LeaseFile, a_host
from tests.drivers.real.socket_hosts import socket_driver


@pytest.fixture
def world():
    made = RealWorld(drivers={"socket": socket_driver})
    yield made
    made.close()


def test_it_is_a_world(world):
    is_one: World = world
    assert is_one.clock.now().utcoffset() == timedelta(0)
    before = is_one.clock.monotonic()
    is_one.clock.sleep(Seconds(0.001))
    assert is_one.clock.monotonic() > before


def test_the_two_channels_are_the_network_and_the_storage(world):
    names = [channel.name for channel in world.channels()]
    assert names == ["management-network", "storage-heartbeat"]


@pytest.mark.parametrize(
    ("endpoint", "fencers"),
    [
        ({}, []),
        ({"bmc_url": "https://192.0.2.7"}, ["redfish"]),
        ({"lease_path": "/srv/leases/kyoto-1"}, ["storage-lease"]),
        (
            {"bmc_url": "https://192.0.2.7", "lease_path": "/srv/leases/kyoto-1"},
            ["redfish", "storage-lease"],
        ),
    ],
    ids=["neither", "bmc", "lease", "both"],
)
def test_a_host_is_fenced_by_what_its_endpoint_names(world, endpoint, fencers):
    assert [fencer.name for fencer in world.fencers(a_host(**endpoint))] == fencers


def test_a_hosts_driver_is_kept_until_its_endpoint_changes(world):
    host = a_host(driver="socket", uri="socket://127.0.0.1:1")
    driver = world.driver(host)
    assert world.driver(host) is driver
    moved = replace(host, endpoint=replace(host.endpoint, uri="socket://127.0.0.1:2"))
    assert world.driver(moved) is not driver
    assert driver.closed


def test_two_hosts_have_drivers_of_their_own(world):
    one, two = (a_host(name, driver="socket", uri="socket://127.0.0.1:1") for name in "ab")
    assert world.driver(one) is not world.driver(two)


def test_closing_closes_every_driver(world):
    driver = world.driver(a_host(driver="socket", uri="socket://127.0.0.1:1"))
    world.close()
    assert driver.closed


def test_a_driver_that_is_not_known_is_told_with_those_that_are(world):
    with pytest.raises(NoDriver, match="'abacus', and this control plane has: socket"):
        world.driver(a_host(driver="abacus"))


def test_the_channel_and_the_fence_share_what_was_seen_of_a_lease(world, tmp_path):
    lease = LeaseFile(tmp_path / "kyoto-1")
    lease.renew()
    host = a_host(lease_path=str(lease.path))
    _, heartbeat = world.channels()
    assert heartbeat.listen(host) is Sign.UNKNOWN
    lease.renew(boot="77aa")
    assert heartbeat.listen(host) is Sign.ALIVE
    assert world.leases.boot_id(host.id) == "77aa"


def test_without_the_libvirt_bindings_a_control_plane_runs_and_says_what_is_missing():
    program = """
import sys
sys.modules["libvirt"] = None
from control_plane.drivers.real import NoDriver, RealWorld
from tests.drivers.fencing.samples import a_host
world = RealWorld()
print([channel.listen(a_host()).value for channel in world.channels()])
try:
    world.driver(a_host())
except NoDriver as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    heard, said = ended.stdout.splitlines()
    assert heard == "['unknown', 'unknown']"
    assert "install this project with its extra 'libvirt'" in said

"""Whether this machine can run hosts is found out before anything is begun."""

from __future__ import annotations

import shutil
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from deploy.local import LocalPool, LocalSite, kvm_probe, network
from tests.local.hosts import need_local_hosts

QEMU = "qemu-system-x86_64"
needs_qemu = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"needs {QEMU}")


@needs_qemu
def test_the_guest_that_probes_kvm_runs_to_its_end_on_an_emulated_processor(tmp_path: Path) -> None:
    rom = tmp_path / "probe.rom"
    rom.write_bytes(kvm_probe.probe_rom())
    assert kvm_probe.runs_to_its_end(rom, "tcg", Seconds(60), QEMU)


@needs_qemu
def test_a_guest_that_gets_nowhere_is_given_up(tmp_path: Path) -> None:
    rom = tmp_path / "stuck.rom"
    rom.write_bytes(b"\xeb\xfe" * (kvm_probe.ROM_SIZE // 2))
    assert not kvm_probe.runs_to_its_end(rom, "tcg", Seconds(0.5), QEMU)


def test_without_qemu_there_is_no_kvm() -> None:
    assert not kvm_probe.kvm_works(qemu="/nonexistent/qemu")


@pytest.mark.parametrize("text", ["10.77.0.0/24", "8.8.0.0/16", "10.77.1.0/16", "網", "", "::/16"])
def test_only_a_private_16_can_be_a_pools_network(text: str) -> None:
    with pytest.raises(YuiError) as refused:
        network.parse_subnet(text)
    assert refused.value.type == "local-subnet-invalid"


def test_sites_and_guests_have_networks_of_their_own() -> None:
    subnet = network.parse_subnet("10.77.0.0/16")
    guests = [
        IPv4Network(network.guest_network(subnet, site)) for site in range(1, network.MAX_SITES + 1)
    ]
    hosts = [
        IPv4Network(f"{network.address(subnet, site, 0)}/24")
        for site in range(network.MAX_SITES + 1)
    ]
    everything = [*guests, *hosts]
    assert len(set(everything)) == len(everything)
    assert all(one.subnet_of(subnet) for one in everything)


@pytest.mark.hypervisor
@pytest.mark.parametrize(
    ("sites", "hosts_per_site"),
    [
        ([], 1),
        ([LocalSite("a", "r")], 0),
        ([LocalSite("a", "r"), LocalSite("a", "r")], 1),
        ([LocalSite("../etc", "r")], 1),
    ],
    ids=["no site", "no host", "a site twice", "no name"],
)
def test_a_pool_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, sites: list[LocalSite], hosts_per_site: int
) -> None:
    need_local_hosts()
    with pytest.raises(YuiError) as refused:
        LocalPool.create(tmp_path / "pool", sites, hosts_per_site)
    assert refused.value.type == "local-pool-invalid"
    assert not (tmp_path / "pool").exists()

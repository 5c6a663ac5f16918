"""An isolated server answers its driver, and nobody else: nor can it reach anybody."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from ipaddress import ip_interface
from xml.etree import ElementTree

import httpx
import libvirt
import pytest

from control_plane.drivers.libvirt.lone_card import _CARD
from control_plane.drivers.protocol import ServerSpec
from tests.drivers.libvirt.two_hosts import LibvirtHosts
from tests.drivers.probe_contract import ProbeContract, asked

pytestmark = pytest.mark.hypervisor


class TestProbing(ProbeContract):
    """`hosts` are the folder's."""


def answers_the_network(spec: ServerSpec) -> bool:
    try:
        address = ip_interface(spec.address).ip
        httpx.get(f"http://{address}/health", timeout=3, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def listeners(host: str) -> set[str]:
    """Where anybody on the host's network could connect to."""
    shown = subprocess.run(
        ["ip", "netns", "exec", host, "ss", "-Hltun"], check=True, capture_output=True, text=True
    )
    return {line.split()[4] for line in shown.stdout.splitlines()}


def test_it_reaches_nobody_and_nobody_reaches_it(hosts: LibvirtHosts) -> None:
    neighbour = hosts.spec(boots=True)
    hosts.boot(hosts.first, neighbour)
    assert answers_the_network(neighbour)
    beside, gateway = ip_interface(neighbour.address).ip, neighbour.gateway
    before = listeners(hosts.pool.hosts[0].namespace)
    wishes = (
        f"# yui-probe http {beside} 80\n# yui-probe ping {beside}\n# yui-probe ping {gateway}\n"
    )
    alone = replace(hosts.spec(boots=True), isolated=True, user_data=f"#cloud-config\n{wishes}")
    hosts.boot(hosts.first, alone)
    assert asked(hosts.first, alone).status == 200
    hosts.until(lambda: "probe 3 done" in hosts.first.console(alone.id, 64 * 1024))
    console = hosts.first.console(alone.id, 64 * 1024)
    assert console.count(" missed") >= 9
    assert " reached" not in console
    assert not answers_the_network(alone)
    assert listeners(hosts.pool.hosts[0].namespace) == before
    taps: list[str] = []

    def look(domain: libvirt.virDomain) -> None:
        described = ElementTree.fromstring(domain.XMLDesc(0))  # noqa: S314 — our own host's
        cards = described.findall("devices/interface")
        assert [card.get("type") for card in cards] == ["ethernet"]
        taps.extend(card.find("target").attrib["dev"] for card in cards)
        assert cards[0].find("alias").attrib["name"] == _CARD

    hosts.on_machine(hosts.first, alone, look)
    shown = subprocess.run(
        ["ip", "-n", hosts.pool.hosts[0].namespace, "-o", "link", "show", "dev", taps[0]],
        check=True,
        capture_output=True,
        text=True,
    )
    assert " master " not in shown.stdout

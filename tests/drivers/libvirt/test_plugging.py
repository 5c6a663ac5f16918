"""Which bridge a server is plugged into, and under which name."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from xml.etree import ElementTree

import pytest

from control_plane.drivers.libvirt.domain_xml import Platform, domain_xml
from control_plane.drivers.protocol import DriverError, ServerSpec
from control_plane.model.host_network import HostNetwork, Port, Segment
from control_plane.model.host_network_json import to_json
from control_plane.model.ids import HostId
from deploy.host_agent.yui_network_agent.plan import read_plan
from tests.drivers.libvirt.test_seed import SPEC


def card(spec: ServerSpec, bridge: str) -> dict[str, str]:
    domain = ElementTree.fromstring(  # noqa: S314 — written a line before
        domain_xml(spec, Platform(accelerated=False, machine="pc", bridge=bridge))
    )
    found = {}
    for element, key in (("source", "bridge"), ("target", "dev")):
        named = domain.find(f"devices/interface/{element}")
        if named is not None:
            found[element] = named.attrib[key]
    return found


def test_a_server_is_plugged_into_its_members_bridge_under_the_name_that_the_rules_know() -> None:
    spec = replace(SPEC, segment=10_001)
    plugged = Port(spec.id, spec.mac, IPv4Address("10.77.16.5"))
    segment = Segment(10_001, spec.zone, ports=(plugged,))
    plan = to_json(HostNetwork(HostId("h"), IPv4Address("10.0.0.1"), (segment,)))
    (port,) = read_plan(plan, "h").segments[0].ports
    assert card(spec, "s{segment}") == {"source": "s10001", "target": port.tap}
    assert len(port.tap) <= 15
    assert card(spec, "{zone}-{segment}")["source"] == "lgwan-10001"


def test_where_the_site_keeps_members_apart_the_bridge_alone_is_named() -> None:
    assert card(SPEC, "br-{zone}") == {"source": "br-lgwan"}
    assert card(replace(SPEC, segment=10_001), "guests") == {"source": "guests"}


def test_a_server_without_a_network_is_plugged_in_nowhere_where_members_are_kept_apart() -> None:
    with pytest.raises(DriverError, match="no network of its member"):
        card(SPEC, "s{segment}")


def test_an_isolated_server_has_a_card_without_a_link() -> None:
    for template in ("s{segment}", "guests"):
        spec = replace(SPEC, segment=10_001, isolated=True)
        platform = Platform(accelerated=False, machine="pc", bridge=template)
        domain = ElementTree.fromstring(domain_xml(spec, platform))  # noqa: S314 — just written
        (link,) = domain.findall("devices/interface/link")
        assert link.attrib == {"state": "down"}
        assert card(spec, template)
    other = domain_xml(replace(SPEC, segment=10_001), platform)
    assert "<link" not in other

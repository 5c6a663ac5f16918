"""What a hypervisor is told of a server's network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from control_plane.model.ids import NetworkId
from control_plane.model.network import Network, Subnet
from control_plane.model.pool import Zone
from control_plane.reconcile.spec import Surroundings
from tests.store import samples

BLOCK = IPv4Network("10.77.16.16/28")
NETWORK = Network(
    NetworkId("n"), samples.FUKUCHIYAMA, samples.KYOTO, Zone.MYNUMBER, "n", 10_007,
    (Subnet(samples.SITE, BLOCK, IPv4Address("10.77.16.17")),),
)  # fmt: skip
HOME = (NETWORK.tenant, NETWORK.region, NETWORK.zone)


def test_a_server_is_plugged_into_its_members_network_behind_the_router_of_its_block() -> None:
    around = Surroundings(
        {samples.IMAGE: samples.image()}, {samples.POOL: samples.site()}, {HOME: NETWORK}
    )
    own = around.spec_of(samples.server(1, address="10.77.16.18/28"))
    assert (own.segment, own.gateway) == (10_007, "10.77.16.17")
    shared = around.spec_of(samples.server(2, address="10.77.16.200/24"))
    assert (shared.segment, shared.gateway) == (10_007, samples.site().guest_gateway)
    elsewhere = around.spec_of(samples.server(3, zone=Zone.LGWAN))
    assert elsewhere.segment == 0

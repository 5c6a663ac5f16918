"""Two members with servers in two zones on two hosts, an office, and one approved binding.

`a-*` are one member's servers and `b-*` the other's. The other's `b-lgwan-2` offers TCP 443 to the
one's LGWAN network; the one's office may reach TCP 80 of `a-lgwan-1` and the rules of the rest let in
their own member's servers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from control_plane.model.host_network import HostNetwork, Passage, Port, PortRule, Segment
from control_plane.model.ids import HostId, ServerId
from control_plane.model.network import Direction, PortRange, Protocol
from control_plane.model.pool import Zone
from tests.networks.site import Site

OUT = PortRule(Direction.EGRESS, Protocol.ANY)
OFFICE = IPv4Network("172.20.1.0/24")
DESK = "172.20.1.9"
HTTPS = PortRange(443, 443)


def block(last: int) -> IPv4Network:
    return IPv4Network(f"10.97.0.{last}/28")


BLOCKS = {"a-lgwan": block(16), "a-internet": block(32), "b-lgwan": block(48)}
SEGMENTS = {
    name: Segment(
        10_001 + number,
        Zone.INTERNET if name.endswith("internet") else Zone.LGWAN,
        (IPv4Interface(f"{network[1]}/28"),),
    )
    for number, (name, network) in enumerate(BLOCKS.items())
}
PLACES = {
    "a-lgwan-1": "east",
    "a-lgwan-2": "west",
    "a-internet-1": "east",
    "a-internet-2": "west",
    "b-lgwan-1": "east",
    "b-lgwan-2": "west",
}


def network_of(server: str) -> str:
    return server.rpartition("-")[0]


def address(server: str) -> str:
    return str(BLOCKS[network_of(server)][3 + int(server[-1])])


def let_in(
    protocol: Protocol = Protocol.ANY,
    ports: PortRange | None = None,
    *remotes: IPv4Network | IPv4Address | str,
) -> PortRule:
    return PortRule(
        Direction.INGRESS, protocol, ports, tuple(IPv4Network(remote) for remote in remotes)
    )


RULES: Mapping[str, tuple[PortRule, ...]] = {
    **{server: (OUT, let_in(Protocol.ANY, None, BLOCKS[network_of(server)])) for server in PLACES},
    "a-lgwan-1": (
        OUT,
        let_in(Protocol.ANY, None, BLOCKS["a-lgwan"]),
        let_in(Protocol.TCP, PortRange(80, 80), OFFICE),
    ),
    "b-lgwan-2": (
        OUT,
        let_in(Protocol.TCP, PortRange(80, 80), BLOCKS["b-lgwan"]),
        let_in(Protocol.TCP, HTTPS, BLOCKS["a-lgwan"]),
    ),
}
BINDING = Passage(BLOCKS["a-lgwan"], IPv4Network(address("b-lgwan-2")), Protocol.TCP, HTTPS)
OFFICES = (
    Passage(OFFICE, BLOCKS["a-lgwan"], Protocol.ANY),
    Passage(BLOCKS["a-lgwan"], OFFICE, Protocol.ANY),
)


def mac(server: str) -> str:
    return f"52:54:00:00:00:{sorted(PLACES).index(server) + 1:02x}"


def port(server: str, rules: Mapping[str, tuple[PortRule, ...]] = RULES) -> Port:
    return Port(ServerId(server), mac(server), IPv4Address(address(server)), rules[server])


def plan(
    site: Site,
    host: str,
    *,
    rules: Mapping[str, tuple[PortRule, ...]] = RULES,
    places: Mapping[str, Sequence[str] | str] = PLACES,
    passages: Sequence[Passage] = (*OFFICES, BINDING),
) -> HostNetwork:
    """Every host of the site carries every network."""
    peers = tuple(site.tunnel_address(other) for other in site.hosts if other != host)
    segments = tuple(
        replace(
            segment,
            peers=peers,
            ports=tuple(
                port(server, rules)
                for server in sorted(places)
                if network_of(server) == name and host in _listed(places[server])
            ),
        )
        for name, segment in SEGMENTS.items()
    )
    return HostNetwork(HostId(host), site.tunnel_address(host), segments, tuple(passages))


def _listed(places: Sequence[str] | str) -> Sequence[str]:
    return [places] if isinstance(places, str) else places

"""What Neutron knows as things of their own and Yui as parts of others: subnets, ports, rules. Their ids
follow from what they are, so that they stay the same. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network

from control_plane.model.ids import SecurityGroupId, ServerId, SiteId
from control_plane.model.network import Network, SecurityGroup, SecurityRule, Subnet
from control_plane.model.pool import Site
from control_plane.store.network_values import rules_to_json

_PORT = "port-"


@dataclass(frozen=True, slots=True)
class ShownSubnet:
    """Addresses that a network's servers at one site have: a block of the network's own, or where the
    site gives none, the guest network that all servers there share."""

    id: str
    name: str
    network: Network
    site: SiteId
    addresses: IPv4Network
    gateway: IPv4Address | None


def subnets_of(network: Network, sites: Iterable[Site]) -> Iterator[ShownSubnet]:
    """By site. The first of a site is called `<zone>-<site>`, so that its name is known beforehand."""
    own = sorted(network.subnets, key=lambda subnet: (subnet.site, subnet.addresses))
    for site in sorted(sites, key=lambda site: site.id):
        blocks: Sequence[Subnet | tuple[IPv4Network, IPv4Address | None]]
        if site.member_prefix is None:
            gateway = None if site.guest_gateway is None else IPv4Address(site.guest_gateway)
            blocks = [(IPv4Network(site.guest_network), gateway)]
        else:
            blocks = [subnet for subnet in own if subnet.site == site.id]
        for number, block in enumerate(blocks, 1):
            addresses, gateway = (
                (block.addresses, block.gateway) if isinstance(block, Subnet) else block
            )
            yield ShownSubnet(
                id=f"{network.id}-{str(addresses).replace('.', '-').replace('/', '-')}",
                name=f"{network.zone}-{site.id}" + (f"-{number}" if number > 1 else ""),
                network=network,
                site=site.id,
                addresses=addresses,
                gateway=gateway,
            )


def pools_of(subnet: ShownSubnet) -> list[dict[str, str]]:
    """The ranges that servers get addresses from: all but the network's own, its broadcast address and
    the gateway."""
    first, last = (
        int(subnet.addresses.network_address) + 1,
        int(subnet.addresses.broadcast_address) - 1,
    )
    ranges = [(first, last)]
    if subnet.gateway is not None and first <= (gateway := int(subnet.gateway)) <= last:
        ranges = [(first, gateway - 1), (gateway + 1, last)]
    return [
        {"start": str(IPv4Address(low)), "end": str(IPv4Address(high))}
        for low, high in ranges
        if low <= high
    ]


def port_id(server: ServerId) -> str:
    return f"{_PORT}{server}"


def server_of_port(port: str) -> ServerId | None:
    return ServerId(port.removeprefix(_PORT)) if port.startswith(_PORT) else None


def rule_id(group: SecurityGroupId, rule: SecurityRule) -> str:
    """The same for the same rule of the same group, whatever it is said to be for."""
    said = json.dumps(rules_to_json([replace(rule, description="")]), sort_keys=True)
    digest = blake2b(f"{group} {said}".encode(), digest_size=12, person=b"yui group rule")
    return f"rule-{digest.hexdigest()}"


def rule_with(
    groups: Iterable[SecurityGroup], id: str
) -> tuple[SecurityGroup, SecurityRule] | None:
    if id.startswith("rule-"):
        for group in groups:
            for rule in group.rules:
                if rule_id(group.id, rule) == id:
                    return group, rule
    return None

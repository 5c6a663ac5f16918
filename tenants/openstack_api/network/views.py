"""Yui's things as Neutron shows them (Network API v2.0). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from control_plane.model.addressing import mac_of
from control_plane.model.network import Network, Protocol, SecurityGroup, SecurityRule
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Seen, Server
from tenants.openstack_api.network.derived import ShownSubnet, pools_of, port_id, rule_id

View = dict[str, Any]


def network_view(network: Network, subnets: Sequence[ShownSubnet]) -> View:
    return {
        "id": network.id,
        "name": network.name,
        **_of(network.tenant),
        "status": "ACTIVE",
        "admin_state_up": True,
        "shared": False,
        "router:external": False,
        "subnets": [subnet.id for subnet in subnets],
        "yui:zone": network.zone.value,
    }


def subnet_view(subnet: ShownSubnet) -> View:
    return {
        "id": subnet.id,
        "name": subnet.name,
        **_of(subnet.network.tenant),
        "network_id": subnet.network.id,
        "ip_version": 4,
        "cidr": str(subnet.addresses),
        "gateway_ip": None if subnet.gateway is None else str(subnet.gateway),
        "allocation_pools": pools_of(subnet),
        # Servers are told their address before they start.
        "enable_dhcp": False,
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
    }


def port_view(
    server: Server,
    network: Network,
    subnets: Sequence[ShownSubnet],
    site: str,
    groups: Sequence[str],
) -> View:
    """`subnets` are the network's, `groups` the ids of those whose rules hold for the server."""
    address = IPv4Address(server.address.partition("/")[0])
    subnet = next((s.id for s in subnets if s.site == site and address in s.addresses), None)
    reached = server.seen is Seen.RUNNING and not server.isolated
    return {
        "id": port_id(server.id),
        "name": "",
        **_of(server.tenant),
        "network_id": network.id,
        "status": "ACTIVE" if reached else "DOWN",
        "admin_state_up": not server.isolated,
        "mac_address": mac_of(server.id),
        "fixed_ips": [{"subnet_id": subnet, "ip_address": str(address)}],
        "device_id": server.id,
        "device_owner": f"compute:{site}",
        "security_groups": list(groups),
    }


def group_view(group: SecurityGroup) -> View:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        **_of(group.tenant),
        "stateful": True,
        "shared": False,
        "security_group_rules": [rule_view(group, rule) for rule in group.rules],
    }


def rule_view(group: SecurityGroup, rule: SecurityRule) -> View:
    remote = None if rule.remote is None else str(rule.remote)
    return {
        "id": rule_id(group.id, rule),
        **_of(group.tenant),
        "security_group_id": group.id,
        "direction": rule.direction.value,
        "ethertype": "IPv4",
        "protocol": None if rule.protocol is Protocol.ANY else rule.protocol.value,
        "port_range_min": None if rule.ports is None else rule.ports.first,
        "port_range_max": None if rule.ports is None else rule.ports.last,
        "remote_ip_prefix": remote,
        "normalized_cidr": remote,
        "remote_group_id": rule.remote_group,
        "remote_address_group_id": offices_id(group.tenant) if rule.offices else None,
        "description": rule.description,
    }


def offices_id(tenant: MunicipalityCode) -> str:
    """Of the one address group that a member has: where its offices are."""
    return f"m{tenant}-offices"


def offices_view(tenant: MunicipalityCode, networks: Sequence[Network]) -> View:
    """The offices of all networks of a region; a rule that names them means those of its servers' own."""
    addresses = sorted({office for network in networks for office in network.offices})
    return {
        "id": offices_id(tenant),
        "name": "offices",
        "description": "The member's own networks, as declared for each network",
        **_of(tenant),
        "addresses": [str(office) for office in addresses],
    }


def _of(tenant: MunicipalityCode) -> Mapping[str, str]:
    return {"tenant_id": tenant.text, "project_id": tenant.text}

"""What a host's network has to be, worked out from what members declared and where servers are.

Pure, and the only place where rules, offices and bindings are turned into what passes, so that it can
be held against their meaning by a test.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from control_plane.model.addressing import mac_of
from control_plane.model.host_network import HostNetwork, Passage, Port, PortRule, Segment
from control_plane.model.ids import (
    HostId,
    NetworkId,
    RegionId,
    SecurityGroupId,
    ServerId,
    StoragePoolId,
)
from control_plane.model.network import (
    DEFAULT_GROUP,
    Binding,
    BindingState,
    Direction,
    Network,
    PortRange,
    Protocol,
    SecurityGroup,
    SecurityRule,
)
from control_plane.model.pool import FailureDomain, Host, Site, Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Moving, Placed, Server

_Home = tuple[MunicipalityCode, RegionId, Zone]


@dataclass(frozen=True)
class NetworkFacts:
    """All that hosts' networks follow from, of the whole consortium. `groups_of` names the groups of
    the servers that are in others than their member's default one."""

    sites: Collection[Site]
    hosts: Collection[Host]
    servers: Collection[Server]
    networks: Collection[Network]
    groups: Collection[SecurityGroup]
    groups_of: Mapping[ServerId, Set[SecurityGroupId]]
    bindings: Collection[Binding]
    refuges: Mapping[tuple[FailureDomain, ServerId], HostId]

    # What follows is worked out once for all hosts.

    @cached_property
    def _servers_by_id(self) -> dict[ServerId, Server]:
        return {server.id: server for server in self.servers}

    @cached_property
    def _alone(self) -> dict[ServerId, IPv4Network]:
        """Each server's address as a network of one."""
        return {server.id: IPv4Network(address_of(server)) for server in self.servers}

    @cached_property
    def _networks_by_id(self) -> dict[NetworkId, Network]:
        return {network.id: network for network in self.networks}

    @cached_property
    def _groups_by_id(self) -> dict[SecurityGroupId, SecurityGroup]:
        return {group.id: group for group in self.groups}

    @cached_property
    def network_of(self) -> dict[ServerId, Network]:
        """The network of each server that has one."""
        region_of: dict[StoragePoolId, RegionId] = {
            pool.id: site.region for site in self.sites for pool in site.storage_pools
        }
        homes: dict[_Home, Network] = {(n.tenant, n.region, n.zone): n for n in self.networks}
        found = {}
        for server in self.servers:
            region = region_of.get(server.storage)
            if region is not None:
                network = homes.get((server.tenant, region, server.zone))
                if network is not None:
                    found[server.id] = network
        return found

    @cached_property
    def _own_servers(self) -> dict[NetworkId, tuple[Server, ...]]:
        found: defaultdict[NetworkId, list[Server]] = defaultdict(list)
        for server in self.servers:
            if server.id in self.network_of:
                found[self.network_of[server.id].id].append(server)
        return {id: tuple(servers) for id, servers in found.items()}

    @cached_property
    def _blocks(self) -> dict[NetworkId, frozenset[IPv4Network]]:
        """The addresses of each network: its subnets, and one by one what servers have apart from them."""
        return {
            network.id: frozenset(
                {subnet.addresses for subnet in network.subnets}
                | {
                    IPv4Network(address)
                    for server in self._own_servers.get(network.id, ())
                    if not _within(address := address_of(server), network)
                }
            )
            for network in self.networks
        }

    @cached_property
    def _members_of(self) -> dict[SecurityGroupId, frozenset[ServerId]]:
        found: defaultdict[SecurityGroupId, set[ServerId]] = defaultdict(set)
        for server in self.servers:
            for group in self.groups_worn(server):
                found[group.id].add(server.id)
        return {id: frozenset(servers) for id, servers in found.items()}

    @cached_property
    def _default_groups(self) -> dict[MunicipalityCode, SecurityGroup]:
        return {group.tenant: group for group in self.groups if group.name == DEFAULT_GROUP}

    def groups_worn(self, server: Server) -> tuple[SecurityGroup, ...]:
        """The groups whose rules hold for it; never another member's."""
        named = self.groups_of.get(server.id)
        if not named:
            default = self._default_groups.get(server.tenant)
            return () if default is None else (default,)
        found = (self._groups_by_id.get(id) for id in sorted(named))
        return tuple(g for g in found if g is not None and g.tenant == server.tenant)

    @cached_property
    def _in_force(self) -> tuple[Binding, ...]:
        return tuple(b for b in self.bindings if b.state is BindingState.APPROVED)

    def offered(self, binding: Binding) -> tuple[Server, ...]:
        """The provider's servers that the binding names and that are of its zone."""
        named = (self._servers_by_id.get(id) for id in sorted(binding.servers))
        return tuple(
            server
            for server in named
            if server is not None
            and server.tenant == binding.provider
            and server.zone is binding.zone
            and server.id in self.network_of
        )

    @cached_property
    def _consumers(self) -> dict[tuple[MunicipalityCode, Zone], tuple[Network, ...]]:
        found: defaultdict[tuple[MunicipalityCode, Zone], list[Network]] = defaultdict(list)
        for network in self.networks:
            found[network.tenant, network.zone].append(network)
        return {key: tuple(networks) for key, networks in found.items()}

    @cached_property
    def _bound(self) -> tuple[tuple[Binding, tuple[Server, ...], tuple[Network, ...]], ...]:
        """Every binding in force, with the servers offered and the networks that they are offered to."""
        return tuple(
            (b, self.offered(b), self._consumers.get((b.consumer, b.zone), ()))
            for b in self._in_force
        )

    @cached_property
    def carried(self) -> dict[HostId, frozenset[ServerId]]:
        """The servers of each host: those it has, those on their way to or from it, and those that
        would be restarted there."""
        found: defaultdict[HostId, set[ServerId]] = defaultdict(set)
        for server in self.servers:
            for host in _hosts_of(server):
                found[host].add(server.id)
        for (_, id), host in self.refuges.items():
            if id in self._servers_by_id:
                found[host].add(id)
        return {host: frozenset(servers) for host, servers in found.items()}

    @cached_property
    def segments_on(self) -> dict[HostId, frozenset[NetworkId]]:
        """The networks that each host carries: those of its servers, and those at the other end of
        the bindings of these, into which it sends what they say."""
        found: dict[HostId, frozenset[NetworkId]] = {}
        for host, servers in self.carried.items():
            own = {self.network_of[id].id for id in servers if id in self.network_of}
            other: set[NetworkId] = set()
            for _, offered, consumers in self._bound:
                if any(server.id in servers for server in offered):
                    other.update(network.id for network in consumers)
                if any(network.id in own for network in consumers):
                    other.update(self.network_of[server.id].id for server in offered)
            found[host] = frozenset(own | other)
        return found

    @cached_property
    def _tunnel_ends(self) -> dict[NetworkId, frozenset[tuple[HostId, IPv4Address]]]:
        found: defaultdict[NetworkId, set[tuple[HostId, IPv4Address]]] = defaultdict(set)
        for host in self.hosts:
            end = host.endpoint.tunnel_end
            if end is not None:
                for network in self.segments_on.get(host.id, ()):
                    found[network].add((host.id, end))
        return {network: frozenset(ends) for network, ends in found.items()}

    @cached_property
    def _offered_ports(self) -> dict[ServerId, tuple[PortRule, ...]]:
        found: defaultdict[ServerId, set[PortRule]] = defaultdict(set)
        for binding, offered, consumers in self._bound:
            remotes = {block for network in consumers for block in self._blocks[network.id]}
            if remotes:
                for server in offered:
                    found[server.id].add(
                        PortRule(
                            Direction.INGRESS,
                            binding.protocol,
                            PortRange(binding.port, binding.port),
                            tuple(sorted(remotes)),
                        )
                    )
        return {id: tuple(rules) for id, rules in found.items()}

    @cached_property
    def _rules(self) -> dict[ServerId, tuple[PortRule, ...]]:
        return {}

    def rules_of(self, server: Server) -> tuple[PortRule, ...]:
        """What may begin a conversation with it and what it may begin, sorted."""
        if server.id not in self._rules:
            self._rules[server.id] = self._rules_anew(server)
        return self._rules[server.id]

    def _rules_anew(self, server: Server) -> tuple[PortRule, ...]:
        network = self.network_of[server.id]
        found = set(self._offered_ports.get(server.id, ()))
        for group in self.groups_worn(server):
            for rule in group.rules:
                remotes = self._remotes(rule, server, network)
                if remotes is not None:
                    found.add(PortRule(rule.direction, rule.protocol, rule.ports, remotes))
        return tuple(sorted(found, key=_rule_key))

    def _remotes(
        self, rule: SecurityRule, server: Server, network: Network
    ) -> tuple[IPv4Network, ...] | None:
        """Empty means anyone, None that there is nobody whom the rule means."""
        if rule.remote is not None:
            return (rule.remote,)
        if rule.remote_group is None and not rule.offices:
            return ()
        if rule.offices:
            meant = set(network.offices)
        else:
            group = self._members_of.get(rule.remote_group or SecurityGroupId(""), frozenset())
            meant = {
                self._alone[one.id]
                for one in self._own_servers[network.id]
                if one.id in group and one.id != server.id
            }
        return tuple(sorted(meant)) or None

    def segment(self, host: HostId, network: Network) -> Segment:
        here = self.carried.get(host, frozenset())
        ends = self._tunnel_ends.get(network.id, frozenset())
        return Segment(
            number=network.segment,
            zone=network.zone,
            gateways=tuple(
                sorted(
                    IPv4Interface(f"{s.gateway}/{s.addresses.prefixlen}") for s in network.subnets
                )
            ),
            peers=tuple(sorted({end for id, end in ends if id != host})),
            ports=tuple(
                Port(server.id, mac_of(server.id), address_of(server), self.rules_of(server))
                for server in sorted(self._own_servers.get(network.id, ()), key=lambda s: s.id)
                if server.id in here
            ),
        )

    def passages(self, host: HostId) -> set[Passage]:
        """Those that servers of the host are an end of."""
        servers = [
            self._servers_by_id[id]
            for id in self.carried.get(host, frozenset())
            if id in self.network_of
        ]
        here = {(self.network_of[s.id].id, self._block_of(s)) for s in servers}
        found = set()
        for id, block in here:
            for other in self._blocks[id] | set(self._networks_by_id[id].offices):
                if other != block:
                    found.add(Passage(block, other, Protocol.ANY))
                    found.add(Passage(other, block, Protocol.ANY))
        ids = {server.id for server in servers}
        for binding, offered, consumers in self._bound:
            ports = PortRange(binding.port, binding.port)
            for network in consumers:
                for block in self._blocks[network.id]:
                    for server in offered:
                        if server.id in ids or (network.id, block) in here:
                            target = self._alone[server.id]
                            found.add(Passage(block, target, binding.protocol, ports))
        return found

    def _block_of(self, server: Server) -> IPv4Network:
        address = address_of(server)
        for subnet in self.network_of[server.id].subnets:
            if address in subnet.addresses:
                return subnet.addresses
        return IPv4Network(address)

    def networks_by_id(self, ids: Iterable[NetworkId]) -> list[Network]:
        return sorted((self._networks_by_id[id] for id in ids), key=lambda n: n.segment)


def plan_host_network(host: HostId, facts: NetworkFacts) -> HostNetwork | None:
    """None where the host does not keep members' networks apart itself (`Endpoint.tunnel_end`).

    It carries the segments of its servers, of those on their way, and of those whose refuge it is;
    besides those the other ends of their bindings, with no ports. What is routed is between the
    blocks of one network, between a network and its offices, and from a binding's consumer to the
    servers that it names."""
    end = next((h.endpoint.tunnel_end for h in facts.hosts if h.id == host), None)
    if end is None:
        return None
    carried = facts.networks_by_id(facts.segments_on.get(host, frozenset()))
    return HostNetwork(
        host=host,
        tunnel_address=end,
        segments=tuple(facts.segment(host, network) for network in carried),
        passages=tuple(sorted(facts.passages(host), key=_passage_key)),
    )


def address_of(server: Server) -> IPv4Address:
    return IPv4Interface(server.address).ip


def _within(address: IPv4Address, network: Network) -> bool:
    return any(address in subnet.addresses for subnet in network.subnets)


def _hosts_of(server: Server) -> tuple[HostId, ...]:
    match server.placement:
        case Placed(host):
            return (host,)
        case Moving(source, target):
            return (source, target)
        case _:
            return ()


def _ports_key(ports: PortRange | None) -> tuple[int, int]:
    return (0, 0) if ports is None else (ports.first, ports.last)


def _rule_key(rule: PortRule) -> tuple[object, ...]:
    return (rule.direction.value, rule.protocol.value, _ports_key(rule.ports), rule.remotes)


def _passage_key(passage: Passage) -> tuple[object, ...]:
    return (passage.source, passage.target, passage.protocol.value, _ports_key(passage.ports))

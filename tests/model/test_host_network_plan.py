"""What hosts let pass is what members' rules, offices and approved bindings say, and nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.host_health import Up
from control_plane.model.host_network import HostNetwork, Passage, Port, PortRule, Segment
from control_plane.model.host_network_plan import NetworkFacts, plan_host_network
from control_plane.model.ids import (
    BindingId,
    FlavorId,
    HostId,
    ImageId,
    NetworkId,
    RegionId,
    SecurityGroupId,
    ServerId,
    SiteId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.network import (
    Binding,
    BindingState,
    Direction,
    Network,
    PortRange,
    Protocol,
    SecurityGroup,
    SecurityRule,
    Subnet,
    default_rules,
)
from control_plane.model.pool import (
    DomainKind,
    Endpoint,
    FailureDomain,
    Host,
    Site,
    StoragePool,
    Zone,
)
from control_plane.model.tenant import MunicipalityCode, check_digit
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Moving, Placed, Placement, Server
from tests.thoroughness import examples

T = TypeVar("T")
AT = datetime(2026, 4, 1, tzinfo=UTC)
MEMBERS = [MunicipalityCode(f"{n}{check_digit(n)}") for n in ("01222", "26100", "13101")]
REGIONS = [RegionId("north"), RegionId("west")]
ZONES = [Zone.LGWAN, Zone.INTERNET]
SIZE = Resources(VCpu(1), MiB(512))
PORTS = (80, 443)


def a_site(number: int) -> Site:
    pool = StoragePool(StoragePoolId(f"pool-{number}"), GiB(100), "/srv")
    return Site(
        SiteId(f"site-{number}"),
        REGIONS[number],
        "地点",
        f"10.{number}.0.0/16",
        None,
        (pool,),
        member_prefix=28,
    )


def a_host(number: int, bridge: str = "s{segment}") -> Host:
    region = number % 2
    return Host(
        id=HostId(f"host-{number}"),
        site=SiteId(f"site-{region}"),
        region=REGIONS[region],
        capacity=SIZE,
        zones=frozenset(Zone),
        storage=frozenset({StoragePoolId(f"pool-{region}")}),
        endpoint=Endpoint("simulated", "", bridge=bridge, tunnel_address=f"192.0.2.{number + 1}"),
        health=Up(AT),
    )


SITES = [a_site(0), a_site(1)]
HOSTS = [a_host(number) for number in range(4)]


def networks_of_all() -> list[Network]:
    """Every member has one in each zone of each region, of two blocks, with an office of its own."""
    found = []
    for number, (member, region, zone) in enumerate(product(MEMBERS, REGIONS, ZONES)):
        site = REGIONS.index(region)
        blocks = [IPv4Network(f"10.{site}.{number}.{16 * part}/28") for part in (0, 1)]
        found.append(
            Network(
                NetworkId(f"net-{number}"),
                member,
                region,
                zone,
                "網",
                10_000 + number,
                tuple(Subnet(SiteId(f"site-{site}"), b, b[1]) for b in blocks),
                (IPv4Network(f"172.16.{number}.0/24"),),
            )
        )
    return found


NETWORKS = networks_of_all()


def home_of(server: Server) -> Network:
    region = REGIONS[int(server.storage[-1])]
    return next(
        n for n in NETWORKS if (n.tenant, n.region, n.zone) == (server.tenant, region, server.zone)
    )


def a_server(
    number: int, member: MunicipalityCode, zone: Zone, where: Placement, part: int
) -> Server:
    host = where.host if isinstance(where, Placed) else where.source  # type: ignore[union-attr]
    region = int(host[-1]) % 2
    server = Server(
        id=ServerId(f"server-{number}"),
        tenant=member,
        system=SystemId("system"),
        name="s",
        role="app",
        flavor=FlavorId("m1.small"),
        size=SIZE,
        disk=GiB(1),
        image=ImageId("image"),
        zone=zone,
        tier=1,
        start_order=0,
        storage=StoragePoolId(f"pool-{region}"),
        address="",
        placement=where,
    )
    block = home_of(server).subnets[part].addresses
    return replace(server, address=f"{block[2 + number]}/{block.prefixlen}")


GROUPS = [SecurityGroupId(f"group-{number}") for number in range(5)]
"""Two of the first member, two of the second, and the third member's default."""

rules = st.builds(
    SecurityRule,
    direction=st.sampled_from(Direction),
    protocol=st.sampled_from(Protocol),
    ports=st.none(),
)


@st.composite
def a_rule(draw: st.DrawFn) -> SecurityRule:
    rule = draw(rules)
    if rule.protocol in (Protocol.TCP, Protocol.UDP):
        rule = replace(
            rule, ports=draw(st.sampled_from([None, PortRange(80, 80), PortRange(1, 443)]))
        )
    match draw(st.sampled_from(["anyone", "remote", "group", "offices"])):
        case "remote":
            network = draw(st.sampled_from(NETWORKS))
            return replace(
                rule, remote=draw(st.sampled_from([network.subnets[0].addresses, *network.offices]))
            )
        case "group":
            return replace(rule, remote_group=draw(st.sampled_from(GROUPS)))
        case "offices":
            return replace(rule, offices=True)
    return rule


@st.composite
def a_binding(draw: st.DrawFn, number: int, servers: list[Server]) -> Binding:
    first = draw(st.sampled_from(servers))
    return Binding(
        id=BindingId(f"binding-{number}"),
        name="b",
        provider=first.tenant,
        consumer=draw(st.sampled_from([m for m in MEMBERS if m != first.tenant])),
        zone=draw(st.sampled_from([first.zone, first.zone, Zone.MYNUMBER])),
        servers=(first.id, *(s.id for s in draw(st.lists(st.sampled_from(servers), max_size=2)))),
        protocol=draw(st.sampled_from([Protocol.TCP, Protocol.UDP])),
        port=draw(st.sampled_from(PORTS)),
        reason="r",
        state=draw(st.sampled_from([BindingState.APPROVED, *BindingState])),
        requested_by="t",
        requested_at=AT,
    )


@st.composite
def facts(draw: st.DrawFn) -> NetworkFacts:
    servers = []
    for number in range(draw(st.integers(2, 6))):
        at = draw(st.sampled_from(HOSTS)).id
        near = [h.id for h in HOSTS if h.id != at and int(h.id[-1]) % 2 == int(at[-1]) % 2]
        where = draw(st.sampled_from([Placed(at), Placed(at), Moving(at, near[0])]))
        member, zone = draw(st.sampled_from(MEMBERS)), draw(st.sampled_from(ZONES))
        servers.append(a_server(number, member, zone, where, draw(st.integers(0, 1))))
    groups = [
        SecurityGroup(
            id,
            MEMBERS[number // 2],
            "default" if number % 2 == 0 else "other",
            default_rules(id)
            if draw(st.booleans())
            else tuple(draw(st.lists(a_rule(), max_size=3))),
        )
        for number, id in enumerate(GROUPS)
    ]
    worn = {
        s.id: frozenset(draw(st.sets(st.sampled_from(GROUPS), min_size=1, max_size=2)))
        for s in servers
        if draw(st.booleans())
    }
    refuges = {
        (FailureDomain(DomainKind.HOST, "any"), s.id): draw(st.sampled_from(HOSTS)).id
        for s in servers
        if draw(st.booleans())
    }
    bindings = [draw(a_binding(n, servers)) for n in range(draw(st.integers(0, 3)))]
    return NetworkFacts(SITES, HOSTS, servers, NETWORKS, groups, worn, bindings, refuges)


@dataclass(frozen=True)
class Talk:
    """A conversation begun: what protocol, and to which port."""

    protocol: Protocol
    port: int


TALKS = [
    Talk(protocol, port)
    for protocol in (Protocol.TCP, Protocol.UDP, Protocol.ICMP)
    for port in (PORTS if protocol is not Protocol.ICMP else (0,))
]


def address(server: Server) -> IPv4Address:
    return IPv4Address(server.address.partition("/")[0])


# What members meant, told from what they declared.


def groups_of(world: NetworkFacts, server: Server) -> list[SecurityGroup]:
    own = [g for g in world.groups if g.tenant == server.tenant]
    named = world.groups_of.get(server.id)
    return [g for g in own if (g.id in named if named else g.name == "default")]


def means(
    world: NetworkFacts, server: Server, direction: Direction, talk: Talk, other: IPv4Address
) -> bool:
    def allows(rule: SecurityRule) -> bool:
        if rule.direction is not direction or rule.protocol not in (Protocol.ANY, talk.protocol):
            return False
        if rule.ports is not None and not rule.ports.first <= talk.port <= rule.ports.last:
            return False
        if rule.remote is not None:
            return other in rule.remote
        if rule.remote_group is not None:
            return any(
                address(peer) == other
                and peer.id != server.id
                and home_of(peer) == home_of(server)
                and rule.remote_group in [g.id for g in groups_of(world, peer)]
                for peer in world.servers
            )
        return not rule.offices or any(other in office for office in home_of(server).offices)

    return any(allows(rule) for group in groups_of(world, server) for rule in group.rules)


def offered(world: NetworkFacts, consumer: Server, provider: Server, talk: Talk) -> bool:
    return any(
        b.state is BindingState.APPROVED
        and (b.provider, b.consumer) == (provider.tenant, consumer.tenant)
        and b.zone is provider.zone is consumer.zone
        and provider.id in b.servers
        and (b.protocol, b.port) == (talk.protocol, talk.port)
        for b in world.bindings
    )


def meant(world: NetworkFacts, begins: Server, answers: Server, talk: Talk) -> bool:
    bound = offered(world, begins, answers, talk)
    if home_of(begins) != home_of(answers) and not bound:
        return False
    return means(world, begins, Direction.EGRESS, talk, address(answers)) and (
        bound or means(world, answers, Direction.INGRESS, talk, address(begins))
    )


# What hosts do with their plans.


def plug(plan: HostNetwork, server: Server) -> tuple[Segment, Port]:
    return next((s, p) for s in plan.segments for p in s.ports if p.server == server.id)


def lets(port: Port, direction: Direction, talk: Talk, other: IPv4Address) -> bool:
    def allows(rule: PortRule) -> bool:
        return (
            rule.direction is direction
            and rule.protocol in (Protocol.ANY, talk.protocol)
            and (rule.ports is None or rule.ports.first <= talk.port <= rule.ports.last)
            and (not rule.remotes or any(other in remote for remote in rule.remotes))
        )

    return any(allows(rule) for rule in port.rules)


def routes(plan: HostNetwork, source: IPv4Address, target: IPv4Address, talk: Talk) -> bool:
    def covers(passage: Passage) -> bool:
        return (
            source in passage.source
            and target in passage.target
            and passage.protocol in (Protocol.ANY, talk.protocol)
            and (passage.ports is None or passage.ports.first <= talk.port <= passage.ports.last)
        )

    return any(covers(passage) for passage in plan.passages)


def block(segment: Segment, at: IPv4Address) -> IPv4Network:
    return next(g.network for g in segment.gateways if at in g.network)


def passes(
    one: HostNetwork, other: HostNetwork, begins: Server, answers: Server, talk: Talk
) -> bool:
    """`one` is the plan of the host of who begins."""
    here, begun = plug(one, begins)
    there, answered = plug(other, answers)
    a, b = begun.address, answered.address
    if not (lets(begun, Direction.EGRESS, talk, b) and lets(answered, Direction.INGRESS, talk, a)):
        return False
    if here.number == there.number and block(here, a) == block(there, b):
        return True
    if not (routes(one, a, b, talk) and routes(other, a, b, talk)):
        return False
    # Each sends into the other's segment what its own server says.
    assert there.number in {s.number for s in one.segments}
    assert here.number in {s.number for s in other.segments}
    return True


def carriers(world: NetworkFacts, server: Server) -> set[HostId]:
    where = server.placement
    hosts = {where.host} if isinstance(where, Placed) else {where.source, where.target}  # type: ignore[union-attr]
    return hosts | {host for (_, id), host in world.refuges.items() if id == server.id}


def plans(world: NetworkFacts) -> dict[HostId, HostNetwork]:
    found = {host.id: plan_host_network(host.id, world) for host in world.hosts}
    return {host: plan for host, plan in found.items() if plan is not None}


@settings(max_examples=examples(25), deadline=None)
@given(facts())
def test_servers_can_begin_to_talk_exactly_where_rules_and_approved_bindings_say_so(
    world: NetworkFacts,
) -> None:
    made = plans(world)
    for begins, answers in product(world.servers, repeat=2):
        if begins.id == answers.id:
            continue
        for one, other in product(carriers(world, begins), carriers(world, answers)):
            for talk in TALKS:
                expected = meant(world, begins, answers, talk)
                assert passes(made[one], made[other], begins, answers, talk) == expected, (
                    begins.id,
                    answers.id,
                    talk,
                )


@settings(max_examples=examples(10), deadline=None)
@given(facts())
def test_offices_and_servers_reach_each_other_exactly_where_the_rules_of_the_server_say_so(
    world: NetworkFacts,
) -> None:
    made = plans(world)
    for server, network, talk in product(world.servers, NETWORKS, TALKS):
        desk = network.offices[0][7]
        own = network == home_of(server)
        for host in carriers(world, server):
            _, port = plug(made[host], server)
            inwards = routes(made[host], desk, port.address, talk)
            assert (inwards and lets(port, Direction.INGRESS, talk, desk)) == (
                own and means(world, server, Direction.INGRESS, talk, desk)
            )
            outwards = routes(made[host], port.address, desk, talk)
            assert (outwards and lets(port, Direction.EGRESS, talk, desk)) == (
                own and means(world, server, Direction.EGRESS, talk, desk)
            )


@settings(max_examples=examples(10), deadline=None)
@given(facts())
def test_a_host_is_told_of_its_own_servers_and_of_who_they_may_talk_with_alone(
    world: NetworkFacts,
) -> None:
    for host, plan in plans(world).items():
        own = [s for s in world.servers if host in carriers(world, s)]
        assert {p.server for s in plan.segments for p in s.ports} == {s.id for s in own}
        near = {home_of(s).segment for s in own}
        bound = {
            home_of(far).segment
            for s, far, talk in product(own, world.servers, TALKS)
            if offered(world, s, far, talk) or offered(world, far, s, talk)
        }
        carried = {s.number for s in plan.segments}
        assert near | bound <= carried
        allowed = bound | {
            # Also where the consumer has a network and no server yet.
            n.segment
            for b in world.bindings
            if b.state is BindingState.APPROVED
            for s in own
            for n in NETWORKS
            if n.zone is s.zone is b.zone
            and (
                (s.id in b.servers and n.tenant == b.consumer)
                or (s.tenant == b.consumer and n.tenant == b.provider)
            )
        }
        assert carried <= near | allowed
        addresses = [address(s) for s in own]
        for passage in plan.passages:
            ends = {passage.source, passage.target}
            blocks = {
                s.addresses
                for n in NETWORKS
                for s in n.subnets
                if any(a in s.addresses for a in addresses)
            }
            assert any(e in blocks or any(a in e for a in addresses) for e in ends)


@settings(max_examples=examples(10), deadline=None)
@given(facts(), st.randoms(use_true_random=False))
def test_equal_facts_in_any_order_give_equal_plans(
    world: NetworkFacts, dice: random.Random
) -> None:
    def mixed(things: list[T]) -> list[T]:
        return dice.sample(things, len(things))

    other = NetworkFacts(
        *(mixed(list(part)) for part in (world.sites, world.hosts, world.servers)),  # type: ignore[arg-type]
        mixed([replace(n, subnets=n.subnets[::-1]) for n in world.networks]),
        mixed([replace(g, rules=g.rules[::-1]) for g in world.groups]),
        dict(mixed(list(world.groups_of.items()))),
        mixed([replace(b, servers=b.servers[::-1]) for b in world.bindings]),
        dict(mixed(list(world.refuges.items()))),
    )
    assert plans(other) == plans(world)


@settings(max_examples=examples(10), deadline=None)
@given(facts())
def test_tunnels_join_exactly_the_hosts_that_carry_a_segment(world: NetworkFacts) -> None:
    made = plans(world)
    ends = {host.id: host.endpoint.tunnel_end for host in world.hosts}
    for host, plan in made.items():
        for segment in plan.segments:
            others = {
                ends[h]
                for h, p in made.items()
                if h != host and segment.number in {s.number for s in p.segments}
            }
            assert set(segment.peers) == others


def test_a_host_whose_bridges_its_own_people_make_has_no_plan() -> None:
    flat = a_host(0, bridge="br-{zone}")
    world = NetworkFacts(SITES, [flat], [], NETWORKS, [], {}, [], {})
    assert plan_host_network(flat.id, world) is None


def test_a_rule_for_a_group_without_servers_lets_nobody_in() -> None:
    server = a_server(0, MEMBERS[0], Zone.LGWAN, Placed(HOSTS[0].id), 0)
    rule = SecurityRule(Direction.INGRESS, Protocol.ANY, remote_group=GROUPS[1])
    group = SecurityGroup(GROUPS[0], MEMBERS[0], "default", (rule,))
    world = NetworkFacts(SITES, HOSTS, [server], NETWORKS, [group], {}, [], {})
    plan = plan_host_network(HOSTS[0].id, world)
    assert plan is not None
    assert plug(plan, server)[1].rules == ()

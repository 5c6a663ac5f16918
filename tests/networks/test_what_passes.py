"""Real packets between cards on hosts with the real agent: what must pass passes, nothing else does."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest

from control_plane.model.host_network_json import to_json
from control_plane.model.network import Protocol
from tests.networks import members
from tests.networks.members import DESK, HTTPS, PLACES, SEGMENTS, address, network_of
from tests.networks.site import Card, Site, site

pytestmark = pytest.mark.hypervisor


@dataclass
class World:
    site: Site
    cards: dict[str, Card]
    desk: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with site(tmp_path_factory.mktemp("site"), "east", "west") as made:
        for host in made.hosts:
            made.plan(members.plan(made, host))
        cards = {
            server: made.plug(host, SEGMENTS[network_of(server)], members.port(server))
            for server, host in PLACES.items()
        }
        desk = made.office("desk", str(members.OFFICE))
        made.serve(desk)
        for block in members.BLOCKS.values():
            made.route(str(block), "west")
        yield World(made, cards, desk)


def test_one_network_spans_its_hosts_and_a_binding_passes_one_port_one_way(world: World) -> None:
    asked = [
        (kind, address(other), number)
        for other in PLACES
        for kind, number in (("tcp", 80), ("tcp", 443), ("udp", 53), ("large-udp", 53), ("icmp", 0))
    ]
    for server, card in world.cards.items():
        answered = world.site.ask(card.namespace, *asked)
        expected = [passes(server, kind, whom, number) for kind, whom, number in asked]
        assert dict(zip(asked, answered, strict=True)) == dict(zip(asked, expected, strict=True)), (
            server
        )


def passes(server: str, kind: str, whom: str, number: int) -> bool:
    other = next(name for name in PLACES if address(name) == whom)
    if server == other:
        return True
    if other == "b-lgwan-2":
        offered = (kind, number) == ("tcp", 443) and network_of(server) == "a-lgwan"
        return offered or ((kind, number) == ("tcp", 80) and network_of(server) == "b-lgwan")
    return network_of(server) == network_of(other)


def test_an_office_reaches_the_allowed_port_of_its_own_member_alone(world: World) -> None:
    asked = [
        (kind, address(s), n)
        for s in PLACES
        for kind, n in (("tcp", 80), ("tcp", 443), ("udp", 53), ("icmp", 0))
    ]
    answered = world.site.ask(world.desk, *asked)
    assert [one for one, yes in zip(asked, answered, strict=True) if yes] == [
        ("tcp", address("a-lgwan-1"), 80)
    ]
    for server, card in world.cards.items():
        reached = world.site.ask(
            card.namespace, ("tcp", DESK, 80), ("udp", DESK, 53), ("icmp", DESK, 0)
        )
        assert set(reached) == {network_of(server) == "a-lgwan"}, server


def test_a_card_reaches_its_own_gateway_by_ping_and_nothing_else_of_any_host(world: World) -> None:
    gateways = {name: str(segment.gateways[0].ip) for name, segment in SEGMENTS.items()}
    hosts = [str(world.site.tunnel_address(host)) for host in world.site.hosts]
    for host in world.site.hosts:
        world.site.serve(world.site.namespace_of(host))
    for server in ("a-lgwan-1", "b-lgwan-2"):
        own = gateways[network_of(server)]
        asked = [
            (kind, whom, number)
            for whom in [*gateways.values(), *hosts, "10.98.0.1"]
            for kind, number in (("tcp", 22), ("udp", 53), ("icmp", 0))
        ]
        answered = world.site.ask(world.cards[server].namespace, *asked)
        reached = [one for one, yes in zip(asked, answered, strict=True) if yes]
        assert reached == [("icmp", own, 0)]


MARK = b"by-hand!"


def ethernet(source: str, kind: str, payload: str, target: str = "ff:ff:ff:ff:ff:ff") -> str:
    return (target + source).replace(":", "") + kind + payload


def packet(source: str, target: str, protocol: int, payload: bytes) -> str:
    """IPv4 (RFC 791) without options, with its checksum."""
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0,
        IPv4Address(source).packed, IPv4Address(target).packed,
    )  # fmt: skip
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return (head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + payload).hex()


def datagram(source: str, target: str, port: int = 53, what: bytes = MARK) -> str:
    return packet(source, target, 17, struct.pack("!HHHH", 999, port, 8 + len(what), 0) + what)


def segment_of(source: str, target: str, flags: int, port: int = 443) -> str:
    """TCP (RFC 9293) with nothing right but ports and flags."""
    return packet(
        source, target, 6, struct.pack("!HHIIBBHHH", port, port, 1, 1, 0x50, flags, 64, 0, 0) + MARK
    )


def arp(operation: int, mac: str, sender: str, target: str) -> str:
    ends = mac.replace(":", "") + IPv4Address(sender).packed.hex()
    return (
        f"000108000604{operation:04x}{ends}{'00' * 6}{IPv4Address(target).packed.hex()}"
        + MARK.hex()
    )


def test_forged_frames_reach_nobody(world: World) -> None:
    """Each is sent beside an honest one, so that silence is not the sender's."""
    one, near, far = "a-lgwan-2", "a-internet-2", "a-lgwan-1"
    mac, me, them = members.mac(one), address(one), address(far)
    gateway = str(SEGMENTS["a-lgwan"].gateways[0].ip)
    honest = ethernet(mac, "0800", datagram(me, them, 9))
    stranger = "52:54:00:00:00:99"
    forged = {
        "another's address": ethernet(mac, "0800", datagram("10.97.0.30", them)),
        "another's hardware address": ethernet(stranger, "0800", datagram(me, them)),
        "the gateway's hardware address": ethernet("02:59:75:69:00:01", "0800", datagram(me, them)),
        "ARP for another": ethernet(mac, "0806", arp(2, mac, them, "10.97.0.30")),
        "ARP for the gateway": ethernet(mac, "0806", arp(2, mac, gateway, them)),
        "ARP with another's hardware address": ethernet(mac, "0806", arp(1, stranger, me, them)),
        "IPv6": ethernet(mac, "86dd", "60000000" + MARK.hex()),
        "a tagged frame": ethernet(mac, "8100", "00070800" + datagram(me, them)),
        "a bridge's own protocol": ethernet(
            mac, "0026", "424203" + MARK.hex(), "01:80:c2:00:00:00"
        ),
    }
    hears = {"far": far, "near": near, "other member": "b-lgwan-2"}
    with ExitStack() as listening:
        heard = {
            name: listening.enter_context(world.site.hearing(world.cards[whom].namespace, MARK))
            for name, whom in hears.items()
        }
        world.site.send(world.cards[one].namespace, [*forged.values(), honest])
        world.site.ask(world.cards[one].namespace, ("icmp", them, 0))
    assert heard == {"far": [honest], "near": [], "other member": []}


def test_tunnel_packets_made_by_a_server_or_an_office_reach_no_segment(world: World) -> None:
    """A VXLAN packet (RFC 7348 section 5) bears the frame of another segment inside."""
    victim, attacker = "b-lgwan-2", "a-lgwan-2"
    inner = ethernet(
        members.mac("b-lgwan-1"), "0800", datagram(address("b-lgwan-1"), address(victim), 80)
    )
    wrapped = bytes.fromhex(f"08000000{SEGMENTS['b-lgwan'].number:06x}00" + inner)
    west, east = (str(world.site.tunnel_address(host)) for host in ("west", "east"))
    outer = [
        ethernet(
            members.mac(attacker),
            "0800",
            datagram(source, target, 4789, wrapped),
            "02:59:75:69:00:01",
        )
        for source in (address(attacker), east)
        for target in (west, east)
    ]
    router_mac = json.loads(
        world.site.run(world.desk, "ip", "-json", "neigh", "show", DESK.replace(".9", ".1"))
    )
    from_office = ethernet(
        "02:00:00:00:00:09", "0800", datagram(DESK, west, 4789, wrapped), router_mac[0]["lladdr"]
    )
    with world.site.hearing(world.cards[victim].namespace, MARK) as heard:
        world.site.send(world.cards[attacker].namespace, outer)
        world.site.send(world.desk, [from_office])
        world.site.ask(world.cards[attacker].namespace, ("icmp", address("a-lgwan-1"), 0))
    assert heard == []


def test_a_binding_carries_no_word_the_other_way_but_answers(world: World) -> None:
    """Not even a segment that claims to be an answer."""
    provider, consumer = "b-lgwan-2", "a-lgwan-1"
    to_gateway = "02:59:75:69:00:01"
    frames = [
        ethernet(
            members.mac(provider),
            "0800",
            segment_of(address(provider), address(consumer), flags),
            to_gateway,
        )
        for flags in (0x02, 0x10, 0x12, 0x18, 0x04, 0x01)
    ]
    with world.site.hearing(world.cards[consumer].namespace, MARK) as heard:
        world.site.send(world.cards[provider].namespace, frames)
        assert (
            world.site.ask(
                world.cards[provider].namespace,
                *(
                    (kind, address(consumer), n)
                    for kind, n in (("tcp", 443), ("tcp", 80), ("icmp", 0), ("udp", 53))
                ),
            )
            == [False] * 4
        )
    assert heard == []
    assert world.site.ask(world.cards[consumer].namespace, ("tcp", address(provider), 443)) == [
        True
    ]


def test_an_office_that_bears_a_servers_address_gets_nothing_through(world: World) -> None:
    inside = address("a-lgwan-1")
    router = json.loads(
        world.site.run(world.desk, "ip", "-json", "neigh", "show", DESK.replace(".9", ".1"))
    )
    frame = ethernet(
        "02:00:00:00:00:09",
        "0800",
        segment_of(inside, address("b-lgwan-2"), 0x02),
        router[0]["lladdr"],
    )
    with world.site.hearing(world.cards["b-lgwan-2"].namespace, MARK) as heard:
        world.site.send(world.desk, [frame])
        world.site.ask(world.cards["a-lgwan-2"].namespace, ("icmp", inside, 0))
    assert heard == []


def test_rules_change_under_talks_that_go_on(world: World) -> None:
    """What is allowed no more can't begin; what had begun goes on, and nothing is lost meanwhile."""
    client, server = world.cards["a-lgwan-1"], "a-lgwan-2"
    site = world.site
    with site.talking(client.namespace, address(server), 22) as talk:
        talk.say("before")
        closed = {**members.RULES, server: (members.OUT, members.let_in(Protocol.TCP, HTTPS))}
        site.plan(members.plan(site, "west", rules=closed))
        talk.say("after")
        assert site.ask(
            client.namespace, *(("tcp", address(server), n) for n in (22, 80, 443))
        ) == [False, False, True]
        talk.say("still")
    site.plan(members.plan(site, "west"))
    assert site.ask(client.namespace, ("tcp", address(server), 22)) == [True]


def test_a_binding_that_is_revoked_passes_nothing(world: World) -> None:
    site, asked = world.site, ("tcp", address("b-lgwan-2"), 443)
    for host in site.hosts:
        site.plan(members.plan(site, host, passages=members.OFFICES))
    assert site.ask(world.cards["a-lgwan-1"].namespace, asked) == [False]
    for host in site.hosts:
        site.plan(members.plan(site, host))
    assert site.ask(world.cards["a-lgwan-1"].namespace, asked) == [True]


def test_a_server_that_moves_keeps_its_talks_and_its_rules(world: World) -> None:
    """Both who asked and who was asked; the one whose turn it is to speak may be the one that moved."""
    site, moving, other = world.site, "a-lgwan-2", "a-lgwan-1"
    card = world.cards[moving]
    both = {**PLACES, moving: ["west", "east"]}
    with (
        site.talking(world.cards[other].namespace, address(moving), 22) as towards,
        site.talking(card.namespace, address(other), 22) as away,
    ):
        towards.say("one")
        away.say("one")
        for host in site.hosts:
            site.plan(members.plan(site, host, places=both))
        moved = site.move(card, "east")
        towards.say("two")
        away.say("two")
        for host in site.hosts:
            site.plan(members.plan(site, host, places={**PLACES, moving: "east"}))
        towards.say("three")
        away.say("three")
        asked = [
            ("tcp", address("b-lgwan-2"), 443),
            ("tcp", address("b-lgwan-2"), 80),
            ("icmp", address(other), 0),
            ("icmp", "10.97.0.17", 0),
            ("icmp", "10.97.0.33", 0),
        ]
        assert site.ask(card.namespace, *asked) == [True, False, True, True, False]
        for host in site.hosts:
            site.plan(members.plan(site, host, places=both))
        site.move(moved, "west")
        towards.say("four")
        away.say("four")
    for host in site.hosts:
        site.plan(members.plan(site, host))


def test_an_agent_that_starts_again_without_the_control_plane_changes_nothing(world: World) -> None:
    """It has the kept plan; links and rules are as they were, and so are talks."""
    site = world.site
    before = site.links("west")
    with site.talking(world.cards["a-lgwan-1"].namespace, address("a-lgwan-2"), 22) as talk:
        talk.say("before")
        site.lose_source("west")
        with site.agent_running("west"):
            talk.say("meanwhile")
            assert site.links("west") == before
            # Others may flush all rules of a host; theirs come back, and talks go on.
            site.run(site.namespace_of("west"), "nft", "flush", "ruleset")
            site.until(
                lambda: (
                    site.ask(world.cards["a-internet-2"].namespace, ("icmp", "10.97.0.17", 0))
                    == [False]
                )
            )
            assert site.ask(
                world.cards["a-lgwan-1"].namespace, ("tcp", address("a-lgwan-2"), 80)
            ) == [True]
            talk.say("after")
    site.plan(members.plan(site, "west"))


def test_a_host_that_boots_without_the_control_plane_has_its_network(world: World) -> None:
    site = world.site
    site.clear("west")
    assert site.ask(world.cards["a-lgwan-1"].namespace, ("tcp", address("a-lgwan-2"), 80)) == [
        False
    ]
    site.lose_source("west")
    with site.agent_running("west"):
        site.until(lambda: "s10003" in site.links("west"))
        site.plug_again([card for card in world.cards.values() if card.host == "west"])
        site.until(
            lambda: (
                site.ask(world.cards["a-lgwan-1"].namespace, ("tcp", address("a-lgwan-2"), 80))
                == [True]
            )
        )
    assert site.ask(
        world.cards["a-lgwan-1"].namespace,
        ("tcp", address("b-lgwan-2"), 443),
        ("tcp", address("b-lgwan-2"), 80),
    ) == [True, False]
    site.plan(members.plan(site, "west"))


@pytest.mark.parametrize("content", [b"", b"{", b'{"host": "west"}', b"another's"])
def test_a_plan_that_is_none_or_is_anothers_changes_nothing(world: World, content: bytes) -> None:
    site = world.site
    before = site.rules("west"), site.links("west")
    given = to_json(members.plan(site, "east")) if content == b"another's" else content
    done = site.give("west", given)
    assert done.returncode == 1
    assert "no new plan" in done.stderr
    assert (site.rules("west"), site.links("west")) == before
    site.plan(members.plan(site, "west"))


def test_applying_the_same_plan_again_changes_no_link_and_no_rule(world: World) -> None:
    site = world.site
    before = site.rules("west"), site.links("west")
    site.plan(members.plan(site, "west"))
    assert (site.rules("west"), site.links("west")) == before


def test_links_and_rules_of_others_stay(world: World) -> None:
    site, host = world.site, "east"
    here = site.namespace_of(host)
    site.run(here, "ip", "link", "add", "s10009", "type", "bridge")
    site.run(here, "nft", "add", "table", "inet", "theirs")
    planned = members.plan(site, host)
    stranger = replace(planned.segments[0], number=10_009, ports=(), gateways=())
    done = site.give(host, to_json(replace(planned, segments=(*planned.segments, stranger))))
    assert "s10009, which another link has" in done.stderr
    site.plan(planned)
    assert "s10009" in site.links(host)
    assert "theirs" in site.run(here, "nft", "list", "tables")
    site.run(here, "ip", "link", "delete", "s10009")
    site.run(here, "nft", "delete", "table", "inet", "theirs")


def test_a_segment_goes_when_no_card_hangs_on_it_and_till_then_is_silent(world: World) -> None:
    site = world.site
    card = world.cards["a-internet-2"]
    planned = members.plan(site, "west")
    rest = tuple(s for s in planned.segments if s.number != SEGMENTS["a-internet"].number)
    site.plan(replace(planned, segments=rest))
    assert "s10002" in site.links("west")
    assert site.ask(
        card.namespace, ("tcp", address("a-internet-1"), 80), ("icmp", "10.97.0.33", 0)
    ) == [False, False]
    site.plan(planned)
    assert site.ask(card.namespace, ("tcp", address("a-internet-1"), 80)) == [True]
    site.unplug(card)
    site.plan(replace(planned, segments=rest))
    assert "s10002" not in site.links("west")
    site.plan(planned)
    site.plug_again([card])
    assert site.ask(card.namespace, ("tcp", address("a-internet-1"), 80)) == [True]

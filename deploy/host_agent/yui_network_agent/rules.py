"""What may pass, as one nftables transaction: pure text, so that it is tested without a kernel.

Two tables named `yui`. The one of family bridge stands at every server's card: a frame must bear the
card's own addresses, and a conversation must be allowed by a rule; answers to it pass by themselves.
Conversations are remembered in sets of each server's own, so that one server that fills its sets
spoils nobody else's talks, and replacing the rules forgets nothing. The one of family inet stands where
the host routes: between the segments and the world nothing passes but the plan's passages. Those are
stated in both directions, because answers may come by a host that never saw the beginning.

Every host answers ARP for a segment's gateways with the same hardware address, and hears that address
as its own; beyond its own servers a host never shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

from .plan import Passage, Plan, Port, Ports, Rule, Segment

TABLE = "yui"
GATEWAY_MAC = "02:59:75:69:00:01"
"""Of every gateway on every host; locally administered."""

_SIZE = 16_384
"""Conversations of one server that are remembered at a time, of each kind."""
_BRIEF, _LONG, _PART = "3m", "1d", "30s"
_SETTLING = "60s"
"""How long after a move conversations that the host has not seen begin may still show themselves."""
_BEGINS = "tcp flags & (syn | ack) == syn"
_GOES_ON = "tcp flags & (syn | ack) != syn"
_LATER_PART = "ip frag-off & 0x1fff != 0"
_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }"
_RARP = "0x8035"
"""By which a hypervisor announces a machine that it has taken over."""


@dataclass(frozen=True)
class Settings:
    """`host_mac` is the host's own hardware address on all segments; `bridge` holds `{segment}` and
    perhaps `{zone}`."""

    host_mac: str
    bridge: str = "s{segment}"
    tunnel_port: int = 4789

    def bridge_of(self, segment: Segment) -> str:
        return self.bridge.replace("{segment}", str(segment.number)).replace("{zone}", segment.zone)


@dataclass(frozen=True)
class Existing:
    """Chains and sets of both tables that are there now, by family; and the names of links."""

    chains: frozenset[tuple[str, str]] = frozenset()
    sets: frozenset[tuple[str, str]] = frozenset()
    links: frozenset[str] = frozenset()


def compile_rules(
    plan: Plan, settings: Settings, existing: Existing, leftover: Collection[str] = ()
) -> str:
    """The transaction that makes the tables say what `plan` says. `leftover` names bridges that the
    plan has no more and that could not be removed yet: nothing passes there."""
    chains = {**_bridge_chains(plan, settings), **_inet_chains(plan, settings, leftover)}
    sets = _sets(plan)
    lines = []
    for family in ("bridge", "inet"):
        lines += [f"add table {family} {TABLE}", f"flush table {family} {TABLE}"]
    lines += [
        f"delete chain {f} {TABLE} {name}" for f, name in sorted(existing.chains - set(chains))
    ]
    lines += [f"delete set {f} {TABLE} {name}" for f, name in sorted(existing.sets - set(sets))]
    lines += [f"add set {f} {TABLE} {name} {{ {what} }}" for (f, name), what in sets.items()]
    lines += [
        f"add chain {f} {TABLE} {name} {_HOOKS.get((f, name), '')}".rstrip() for f, name in chains
    ]
    lines += [
        f"add rule {f} {TABLE} {name} {rule}"
        for (f, name), rules in chains.items()
        for rule in rules
    ]
    plugged = [port for port in _ports_of(plan) if port.tap in existing.links]
    cards = ", ".join(f"{port.mac} timeout {_SETTLING}" for port in plugged)
    if cards and ("bridge", "settling") not in existing.sets:
        # Somebody flushed the tables under running servers, whose talks are to go on.
        lines.append(f"add element bridge {TABLE} settling {{ {cards} }}")
    return "\n".join(lines) + "\n"


def defined_by(rules: str) -> Existing:
    """The chains and sets that a transaction of `compile_rules` leaves behind."""
    words = [line.split(" ", 5) for line in rules.splitlines()]
    return Existing(
        frozenset((w[2], w[4]) for w in words if w[:2] == ["add", "chain"]),
        frozenset((w[2], w[4]) for w in words if w[:2] == ["add", "set"]),
    )


_HOOKS = {
    ("bridge", "prerouting"): "{ type filter hook prerouting priority -250; policy accept; }",
    ("bridge", "forward"): "{ type filter hook forward priority -10; policy accept; }",
    ("bridge", "output"): "{ type filter hook output priority -10; policy accept; }",
    ("bridge", "postrouting"): "{ type filter hook postrouting priority -10; policy accept; }",
    ("inet", "input"): "{ type filter hook input priority -10; policy accept; }",
    ("inet", "forward"): "{ type filter hook forward priority -10; policy accept; }",
    ("inet", "output"): "{ type filter hook output priority -10; policy accept; }",
}

_Chains = dict[tuple[str, str], list[str]]


def _sets(plan: Plan) -> dict[tuple[str, str], str]:
    bounded = f"size {_SIZE}; flags dynamic,timeout;"
    talk = "typeof ip saddr . ip protocol . th sport . th dport;"
    found = {
        ("bridge", "known"): f"type ether_addr; size {_SIZE}; flags dynamic;",
        ("bridge", "settling"): f"type ether_addr; {bounded} timeout {_SETTLING};",
    }
    for port in _ports_of(plan):
        for name, what, timeout in (
            ("brief", talk, _BRIEF),
            ("long", talk, _LONG),
            ("echo", "typeof ip saddr . icmp id;", _BRIEF),
            ("other", "typeof ip saddr . ip protocol;", _BRIEF),
            ("part", "typeof ip saddr . ip id;", _PART),
        ):
            found["bridge", f"{name}_{port.tap}"] = f"{what} {bounded} timeout {timeout};"
    return found


def _ports_of(plan: Plan) -> list[Port]:
    return [port for segment in plan.segments for port in segment.ports]


def _bridge_chains(plan: Plan, settings: Settings) -> _Chains:
    ports, segments = _ports_of(plan), plan.segments
    taps, tunnels = [port.tap for port in ports], [segment.tunnel for segment in segments]
    into = {**{tap: f"from_{tap}" for tap in taps}, **{t: f"from_{t}" for t in tunnels}}
    out = {**{tap: f"to_{tap}" for tap in taps}, **{t: f"to_{t}" for t in tunnels}}
    chains: _Chains = {
        # A card that the plan doesn't know says and hears nothing.
        ("bridge", "prerouting"): [*_by_name("iifname", into), 'iifname "yp*" drop'],
        ("bridge", "postrouting"): [*_by_name("oifname", out), 'oifname "yp*" drop'],
        ("bridge", "forward"): [],
        ("bridge", "output"): [],
    }
    if taps:
        members = _names([*taps, *tunnels])
        chains["bridge", "forward"] += [
            f"oifname {_names(taps)} iifname != {members} drop",
            f"iifname {_names(taps)} oifname != {members} drop",
        ]
    if tunnels:
        own = f"iifname != {_names(taps)} " if taps else ""
        chains["bridge", "forward"].append(f"oifname {_names(tunnels)} {own}drop")
        # The host asks for its servers' hardware addresses in nobody's name (RFC 5227 section 1.1), so
        # that no server takes one host's address for the gateway's.
        chains["bridge", "output"] += [
            f"oifname {_names([*taps, *tunnels])} arp operation request arp saddr ip set 0.0.0.0",
            f"oifname {_names([*taps, *tunnels])} arp operation reply"
            f" arp saddr ether set {GATEWAY_MAC} ether saddr set {GATEWAY_MAC}",
        ]
    for segment in segments:
        chains["bridge", f"from_{segment.tunnel}"] = [
            f"ether saddr {GATEWAY_MAC} drop",
            *(f"arp saddr ip {gateway.ip} drop" for gateway in segment.gateways),
            f"ether type {{ ip, arp, {_RARP} }} accept",
            "counter drop",
        ]
        chains["bridge", f"to_{segment.tunnel}"] = [
            *(f"arp {end} ip {g.ip} drop" for g in segment.gateways for end in ("saddr", "daddr")),
            f"ether type {{ ip, arp, {_RARP} }} accept",
            "counter drop",
        ]
        for port in segment.ports:
            chains.update(_card(port, segment, settings))
    return chains


def _card(port: Port, segment: Segment, settings: Settings) -> _Chains:
    tap, own = port.tap, f"0x{int(port.address):08x}"
    said, heard = _Way(port, outward=True), _Way(port, outward=False)
    return {
        ("bridge", f"from_{tap}"): [
            f"ether saddr != {port.mac} counter drop",
            f"ether daddr {GATEWAY_MAC} ether daddr set {settings.host_mac} meta pkttype set host",
            f"ether type {_RARP} ether saddr != @known add @known {{ ether saddr }}"
            f" add @settling {{ ether saddr timeout {_SETTLING} }} accept",
            f"ether type {_RARP} accept",
            f"ether type arp arp saddr ether {port.mac} arp saddr ip {{ 0.0.0.0, {port.address} }} accept",
            "ether type != ip counter drop",
            f"ip saddr != {port.address} counter drop",
            *said.going_on(),
            # The gateway can be pinged by its own segment's servers, whatever their rules say.
            *(
                said.begin(Rule(False, "icmp", None, (IPv4Network(g.ip),)))[0]
                for g in segment.gateways
            ),
            f"{_ERRORS} @th,192,32 {own} accept",
            *(line for rule in port.rules if not rule.inward for line in said.begin(rule)),
            "counter drop",
        ],
        ("bridge", f"to_{tap}"): [
            "ether type arp accept",
            "ether type != ip drop",
            *heard.going_on(),
            f"{_ERRORS} @th,160,32 {own} accept",
            *(line for rule in port.rules if rule.inward for line in heard.begin(rule)),
            "counter drop",
        ],
        ("bridge", f"said_{tap}"): said.end(),
        ("bridge", f"heard_{tap}"): heard.end(),
    }


class _Way:
    """One direction past one server's card. What is remembered is told from the far side: its
    address, the protocol, the server's own port and the far one's."""

    def __init__(self, port: Port, *, outward: bool) -> None:
        self._tap = port.tap
        self._far = "daddr" if outward else "saddr"
        self._ends = "th sport . th dport" if outward else "th dport . th sport"
        self._card = "ether saddr" if outward else "ether daddr"
        self._pass = f"goto {'said' if outward else 'heard'}_{port.tap}"

    def _talk(self) -> str:
        return f"ip {self._far} . ip protocol . {self._ends}"

    def _remember(self, which: str, timeout: str, verb: str = "update") -> str:
        return f"{verb} @{which}_{self._tap} {{ {self._talk()} timeout {timeout} }}"

    def going_on(self) -> list[str]:
        """A TCP conversation is remembered for long from its second packet until its last ones."""
        brief, long = (f"{self._talk()} @{name}_{self._tap}" for name in ("brief", "long"))
        forget = f"delete @long_{self._tap} {{ {self._talk()} }}"
        keep_short, keep_long = self._remember("brief", _BRIEF), self._remember("long", _LONG)
        return [
            f"{_LATER_PART} ip {self._far} . ip id @part_{self._tap} accept",
            f"{_LATER_PART} counter drop",
            f"tcp flags & (fin | rst) != 0 {long} {keep_short} {forget} {self._pass}",
            f"tcp flags & (syn | ack) == (syn | ack) {brief} {keep_long} {self._pass}",
            f"{_GOES_ON} {long} {keep_long} {self._pass}",
            f"{_GOES_ON} {brief} {keep_short} {self._pass}",
            f"ip protocol udp {brief} {keep_short} {self._pass}",
            f"icmp type echo-reply ip {self._far} . icmp id @echo_{self._tap} {self._pass}",
            f"ip protocol != {{ tcp, udp, icmp }} ip {self._far} . ip protocol @other_{self._tap} {self._pass}",
            # What was begun at the host that the server has just left.
            f"{self._card} @settling {_GOES_ON} {keep_long} {self._pass}",
        ]

    def begin(self, rule: Rule) -> list[str]:
        whom = _addresses(f"ip {self._far}", rule.remotes)
        keep = self._remember("brief", _BRIEF)
        echo = f"update @echo_{self._tap} {{ ip {self._far} . icmp id timeout {_BRIEF} }}"
        other = f"update @other_{self._tap} {{ ip {self._far} . ip protocol timeout {_BRIEF} }}"
        lines = []
        if rule.protocol in ("tcp", "any"):
            lines.append(f"{whom}{_port('tcp dport', rule.ports)}{_BEGINS} {keep} {self._pass}")
        if rule.protocol in ("udp", "any"):
            matched = _port("udp dport", rule.ports) or "ip protocol udp "
            lines.append(f"{whom}{matched}{keep} {self._pass}")
        if rule.protocol in ("icmp", "any"):
            lines.append(f"{whom}icmp type echo-request {echo} {self._pass}")
        if rule.protocol == "any" and rule.ports is None:
            lines.append(f"{whom}ip protocol != {{ tcp, udp, icmp }} {other} {self._pass}")
        return lines

    def end(self) -> list[str]:
        """Later parts of a packet bear no ports: they pass where its first part did."""
        part = f"add @part_{self._tap} {{ ip {self._far} . ip id timeout {_PART} }}"
        return [f"ip frag-off & 0x2000 != 0 {part} accept", "accept"]


def _inet_chains(plan: Plan, settings: Settings, leftover: Collection[str]) -> _Chains:
    here = [settings.bridge_of(segment) for segment in plan.segments]
    bridges = [*here, *leftover]
    chains: _Chains = {("inet", "input"): [], ("inet", "forward"): [], ("inet", "output"): []}
    chains["inet", "to_host"] = ["counter drop"]
    chains["inet", "passages"] = [*_passages(plan.passages), "counter drop"]
    if not bridges:
        return chains
    peers = {peer for segment in plan.segments for peer in segment.peers}
    strangers = f"ip saddr != {_set(map(str, sorted(peers)))} " if peers else ""
    tunnel_end = f"ip daddr {plan.tunnel_address} udp dport {settings.tunnel_port}"
    chains["inet", "input"] += [
        f"{tunnel_end} {strangers}counter drop",
        f"iifname {_names(bridges)} goto to_host",
    ]
    gateways = [
        f'"{settings.bridge_of(s)}" . {gateway.ip}' for s in plan.segments for gateway in s.gateways
    ]
    if gateways:
        echo = f"iifname . ip daddr {_set(gateways)} icmp type echo-request accept"
        chains["inet", "to_host"].insert(0, echo)
    forward = chains["inet", "forward"]
    if here:
        # Between the blocks of one network; and where the kernel shows bridged frames to this hook.
        forward.append("iifname . oifname " + _set(f'"{b}" . "{b}"' for b in here) + " accept")
    blocks = [gateway.network for segment in plan.segments for gateway in segment.gateways]
    if blocks:
        # Servers' packets come by their segments; from elsewhere somebody else bears their address.
        spoofed = _addresses("ip saddr", blocks)
        forward.append(
            f"iifname != {_names(bridges)} oifname {_names(bridges)} {spoofed}counter drop"
        )
    forward += [f"{end}ifname {_names(bridges)} goto passages" for end in ("i", "o")]
    chains["inet", "output"].append(f"oifname {_names(bridges)} icmp type redirect drop")
    return chains


def _passages(passages: Iterable[Passage]) -> list[str]:
    lines: dict[str, None] = {}
    for passage in passages:
        there = f"ip saddr {passage.source} ip daddr {passage.target} "
        back = f"ip saddr {passage.target} ip daddr {passage.source} "
        proto, ports = passage.protocol, passage.ports
        if proto in ("tcp", "any"):
            lines[f"{there}{_port('tcp dport', ports) or 'ip protocol tcp '}accept"] = None
            lines[f"{back}{_port('tcp sport', ports)}{_GOES_ON} accept"] = None
        if proto in ("udp", "any"):
            lines[f"{there}{_port('udp dport', ports) or 'ip protocol udp '}accept"] = None
            lines[f"{back}{_port('udp sport', ports) or 'ip protocol udp '}accept"] = None
        if proto in ("icmp", "any"):
            lines[f"{there}icmp type echo-request accept"] = None
            lines[f"{back}icmp type echo-reply accept"] = None
        for way in (there, back):
            if proto == "any" and ports is None:
                lines[f"{way}ip protocol != {{ tcp, udp, icmp }} accept"] = None
            lines[f"{way}{_ERRORS} accept"] = None
            lines[f"{way}{_LATER_PART} accept"] = None
    return list(lines)


def _by_name(key: str, chains: dict[str, str]) -> list[str]:
    found = _set(f'"{name}" : goto {chain}' for name, chain in chains.items())
    return [f"{key} vmap {found}"] if chains else []


def _addresses(key: str, networks: Sequence[IPv4Network]) -> str:
    found = list(collapse_addresses(networks))
    everyone = not found or found == [IPv4Network("0.0.0.0/0")]
    return "" if everyone else f"{key} {_set(map(str, found))} "


def _port(key: str, ports: Ports | None) -> str:
    return "" if ports is None else f"{key} {ports[0]}-{ports[1]} "


def _names(names: Iterable[str]) -> str:
    return _set(f'"{name}"' for name in names)


def _set(elements: Iterable[str]) -> str:
    return "{ " + ", ".join(elements) + " }"

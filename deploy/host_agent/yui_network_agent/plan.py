"""A host's plan as it came, taken apart and checked: nothing of it reaches a command unchecked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_SERVER = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LAST_SEGMENT = 2**24 - 1
_PROTOCOLS = frozenset({"tcp", "udp", "icmp", "any"})
_DIRECTIONS = frozenset({"ingress", "egress"})

Ports = tuple[int, int]
"""Both ends belong to it."""


@dataclass(frozen=True)
class Rule:
    """`remotes` empty means anyone, `ports` None all of them."""

    inward: bool
    protocol: str
    ports: Ports | None
    remotes: tuple[IPv4Network, ...]


@dataclass(frozen=True)
class Port:
    server: str
    mac: str
    address: IPv4Address
    rules: tuple[Rule, ...]

    @property
    def tap(self) -> str:
        """The name under which the hypervisor plugs the server's card in; 14 of 15 characters."""
        return "yp" + self.mac.replace(":", "")


@dataclass(frozen=True)
class Segment:
    number: int
    zone: str
    gateways: tuple[IPv4Interface, ...]
    peers: tuple[IPv4Address, ...]
    ports: tuple[Port, ...]

    @property
    def tunnel(self) -> str:
        return f"yv{self.number}"


@dataclass(frozen=True)
class Passage:
    source: IPv4Network
    target: IPv4Network
    protocol: str
    ports: Ports | None


@dataclass(frozen=True)
class Plan:
    tunnel_address: IPv4Address
    segments: tuple[Segment, ...] = ()
    passages: tuple[Passage, ...] = ()


def read_plan(content: bytes, host: str) -> Plan:
    """Raises ValueError where it is no plan, or another host's."""
    try:
        fields = json.loads(content)
        if fields["host"] != host:
            raise ValueError(f"the plan is for host {str(fields['host'])[:64]!r}, not for {host!r}")
        plan = Plan(
            IPv4Address(_text(fields["tunnel_address"])),
            tuple(_segment(segment) for segment in fields["segments"]),
            tuple(_passage(passage) for passage in fields["passages"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no plan: {error!r}") from None
    for what in (
        [s.number for s in plan.segments],
        [p.mac for s in plan.segments for p in s.ports],
    ):
        if len(set(what)) != len(what):
            raise ValueError("it is no plan: it names a segment or a card twice")
    return plan


def _segment(fields: Any) -> Segment:
    number = fields["number"]
    if type(number) is not int or not 1 <= number <= _LAST_SEGMENT:
        raise ValueError(f"{number!r} is no segment's number")
    return Segment(
        number,
        _one_of({"mynumber", "lgwan", "internet"}, fields["zone"]),
        tuple(IPv4Interface(_text(gateway)) for gateway in fields["gateways"]),
        tuple(IPv4Address(_text(peer)) for peer in fields["peers"]),
        tuple(
            Port(
                _matching(_SERVER, port["server"]),
                _matching(_MAC, port["mac"]),
                IPv4Address(_text(port["address"])),
                tuple(_rule(rule) for rule in port["rules"]),
            )
            for port in fields["ports"]
        ),
    )


def _rule(fields: Any) -> Rule:
    return Rule(
        _one_of(_DIRECTIONS, fields["direction"]) == "ingress",
        _one_of(_PROTOCOLS, fields["protocol"]),
        _ports(fields["ports"]),
        tuple(IPv4Network(_text(remote)) for remote in fields["remotes"]),
    )


def _passage(fields: Any) -> Passage:
    return Passage(
        IPv4Network(_text(fields["source"])),
        IPv4Network(_text(fields["target"])),
        _one_of(_PROTOCOLS, fields["protocol"]),
        _ports(fields["ports"]),
    )


def _ports(ends: Any) -> Ports | None:
    if ends is None:
        return None
    first, last = ends
    if type(first) is not int or type(last) is not int or not 1 <= first <= last <= 65_535:
        raise ValueError(f"{ends!r} is no range of ports")
    return first, last


def _text(value: Any) -> str:
    """A number would be an address too."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no address")
    return value


def _one_of(words: frozenset[str] | set[str], word: Any) -> str:
    if not isinstance(word, str) or word not in words:
        raise ValueError(f"{str(word)[:64]!r} is none of {', '.join(sorted(words))}")
    return word


def _matching(pattern: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"{str(text)[:64]!r} is not as it must be")
    return text

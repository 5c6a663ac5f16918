"""What one host's network must be: its segments, who is plugged in where, and what may pass.

Everything a host needs in order to make its bridges and packet filters, and nothing about what it
does not carry. It includes the segments of the servers whose refuge the host is, so that a restart
after another host's death waits for no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from control_plane.model.ids import HostId, ServerId
from control_plane.model.network import Direction, PortRange, Protocol
from control_plane.model.pool import Zone


@dataclass(frozen=True, slots=True, order=True)
class PortRule:
    """May begin a conversation with the server (ingress), or be spoken to by it (egress). `remotes`
    empty means anyone who can reach it at all."""

    direction: Direction
    protocol: Protocol
    ports: PortRange | None = None
    remotes: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """A server's network card. Frames from it that bear another `mac` or `address` are dropped."""

    server: ServerId
    mac: str
    address: IPv4Address
    rules: tuple[PortRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """One member's network in one zone, as this host carries it. `gateways` are the addresses that the
    host itself answers on it; every host answers the same ones with the same hardware address.
    `peers` are the tunnel addresses of the other hosts that carry it."""

    number: int
    zone: Zone
    gateways: tuple[IPv4Interface, ...] = ()
    peers: tuple[IPv4Address, ...] = ()
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Passage:
    """The only thing that the host routes: conversations begun from `source` to `target` at `ports` of
    `protocol`, and their answers. Both directions are stated by it, so a host that sees only the
    answers knows them too: no host need have seen the beginning."""

    source: IPv4Network
    target: IPv4Network
    protocol: Protocol
    ports: PortRange | None = None


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """`tunnel_address` is the host's own end of its tunnels. Everything is sorted, so that equal plans
    are equal bytes."""

    host: HostId
    tunnel_address: IPv4Address
    segments: tuple[Segment, ...] = ()
    passages: tuple[Passage, ...] = ()

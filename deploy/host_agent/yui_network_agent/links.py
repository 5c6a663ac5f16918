"""Which bridges, tunnels and addresses to make or take away: pure, from what is and what must be.

What the agent made is known by the alias `yui`, or, where the alias came too late, by the host's own
hardware address on it or a tunnel's name. Every other link is somebody else's, and is left alone even where its
name stands in the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .plan import Plan, Segment
from .rules import Settings

ALIAS = "yui"
_EVERYONE = "00:00:00:00:00:00"
"""The address under which a tunnel keeps the peers that get what is for everyone, or nobody known."""


@dataclass(frozen=True)
class Present:
    """As `ip -json -details address show` and `bridge -json fdb show` tell it."""

    links: Sequence[dict[str, Any]] = ()
    forwarding: Sequence[dict[str, Any]] = ()


@dataclass
class Changes:
    """`remove` and `make` are lines for `ip -batch`, `peers` for `bridge -batch`; `problems` sentences
    about what can't be done. `leftover` are bridges that the plan has no more and somebody's card still
    hangs on. `bridges` are all that the plan wants and that are, or will be, there."""

    remove: list[str] = field(default_factory=list)
    make: list[str] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    leftover: list[str] = field(default_factory=list)
    bridges: list[str] = field(default_factory=list)


def link_changes(plan: Plan, settings: Settings, mtu: int, present: Present) -> Changes:
    """Empty lists where everything is as it must be."""
    links = {link["ifname"]: link for link in present.links}
    wanted = {settings.bridge_of(segment) for segment in plan.segments}
    wanted |= {segment.tunnel for segment in plan.segments}
    changes = Changes()
    for name, link in links.items():
        if not _is_own(link, settings) or name in wanted:
            continue
        plugged = [other for other in links.values() if other.get("master") == name]
        if not all(_is_own(other, settings) for other in plugged):
            changes.leftover.append(name)
        else:
            changes.remove.append(f"link delete dev {name}")
    for segment in plan.segments:
        _Making(plan, settings, mtu, links, present, changes).make(segment)
    return changes


@dataclass(frozen=True)
class _Making:
    plan: Plan
    settings: Settings
    mtu: int
    links: dict[str, dict[str, Any]]
    present: Present
    changes: Changes

    def make(self, segment: Segment) -> None:
        bridge, tunnel = self.settings.bridge_of(segment), segment.tunnel
        for name in (bridge, tunnel):
            if name in self.links and not _is_own(self.links[name], self.settings):
                self.changes.problems.append(
                    f"segment {segment.number} needs the name {name}, which another link has: rename that"
                )
                return
        self.changes.bridges.append(bridge)
        there = self._tunnel_that_fits(segment)
        make = self.changes.make
        self._make_bridge(bridge)
        if there is None:
            make.append(
                f"link add name {tunnel} mtu {self.mtu} type vxlan id {segment.number}"
                f" local {self.plan.tunnel_address} dstport {self.settings.tunnel_port} ttl 64 learning"
            )
        for name, link in ((tunnel, there), (bridge, self.links.get(bridge))):
            if link is None or link.get("ifalias") != ALIAS:
                # `ip link add` takes an alias and forgets it.
                make.append(f"link set dev {name} alias {ALIAS}")
        if there is None or there.get("master") != bridge:
            make.append(f"link set dev {tunnel} master {bridge}")
        for name, link in ((tunnel, there), (bridge, self.links.get(bridge))):
            if link is None or "UP" not in link.get("flags", ()):
                make.append(f"link set dev {name} up")
        _set_gateways(segment, bridge, self.links.get(bridge), self.changes)
        _set_peers(segment, [] if there is None else self.present.forwarding, self.changes)

    def _make_bridge(self, name: str) -> None:
        found, mac = self.links.get(name), self.settings.host_mac
        if found is None:
            self.changes.make.append(
                f"link add name {name} address {mac} mtu {self.mtu}"
                " type bridge stp_state 0 mcast_snooping 0"
            )
            return
        if found.get("address") != mac:
            self.changes.make.append(f"link set dev {name} address {mac}")
        if found.get("mtu") != self.mtu:
            self.changes.make.append(f"link set dev {name} mtu {self.mtu}")

    def _tunnel_that_fits(self, segment: Segment) -> dict[str, Any] | None:
        there = self.links.get(segment.tunnel)
        if there is not None and not _is_tunnel(there, segment, self.plan, self.settings):
            self.changes.remove.append(f"link delete dev {segment.tunnel}")
            return None
        return there


def _is_own(link: dict[str, Any], settings: Settings) -> bool:
    if link.get("ifalias") == ALIAS:
        return True
    match link.get("linkinfo", {}).get("info_kind"):
        case "vxlan":
            return bool(re.fullmatch(r"yv\d+", link["ifname"]))
        case "bridge":
            return link.get("address") == settings.host_mac
    return False


def _is_tunnel(link: dict[str, Any], segment: Segment, plan: Plan, settings: Settings) -> bool:
    info = link.get("linkinfo", {})
    data = info.get("info_data", {})
    return (info.get("info_kind"), data.get("id"), data.get("local"), data.get("port")) == (
        "vxlan",
        segment.number,
        str(plan.tunnel_address),
        settings.tunnel_port,
    )


def _set_gateways(
    segment: Segment, bridge: str, found: dict[str, Any] | None, changes: Changes
) -> None:
    has = {
        f"{address['local']}/{address['prefixlen']}"
        for address in (found or {}).get("addr_info", ())
        if address.get("family") == "inet"
    }
    wants = {str(gateway) for gateway in segment.gateways}
    changes.make += [f"address delete {gone} dev {bridge}" for gone in sorted(has - wants)]
    changes.make += [f"address add {new} dev {bridge}" for new in sorted(wants - has)]


def _set_peers(segment: Segment, forwarding: Sequence[dict[str, Any]], changes: Changes) -> None:
    has = {
        str(entry["dst"])
        for entry in forwarding
        if entry.get("ifname") == segment.tunnel
        and entry.get("mac") == _EVERYONE
        and "dst" in entry
    }
    wants = {str(peer) for peer in segment.peers}
    changes.peers += [
        f"fdb delete {_EVERYONE} dev {segment.tunnel} dst {gone} self"
        for gone in sorted(has - wants)
    ]
    changes.peers += [
        f"fdb append {_EVERYONE} dev {segment.tunnel} dst {new} self permanent"
        for new in sorted(wants - has)
    ]

"""A host's network plan as the bytes that travel to the host's agent and lie on its disk.

Equal plans are equal bytes, so that a digest of them is the plan's name. The agent, which shares no
code with the control plane, reads what is written here; the keys are the fields of
`control_plane.model.host_network`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from control_plane.model.host_network import HostNetwork, Passage, Port, PortRule, Segment
from control_plane.model.ids import HostId, ServerId
from control_plane.model.network import Direction, PortRange, Protocol
from control_plane.model.pool import Zone


def to_fields(plan: HostNetwork) -> dict[str, Any]:
    """What JSON can hold: addresses and networks as text, a range of ports as [first, last]."""
    return {
        "host": plan.host,
        "tunnel_address": str(plan.tunnel_address),
        "segments": [_segment(segment) for segment in plan.segments],
        "passages": [
            {
                "source": str(passage.source),
                "target": str(passage.target),
                "protocol": passage.protocol.value,
                "ports": _range(passage.ports),
            }
            for passage in plan.passages
        ],
    }


def to_json(plan: HostNetwork) -> bytes:
    return json.dumps(to_fields(plan), sort_keys=True, separators=(",", ":")).encode()


def from_json(content: bytes) -> HostNetwork:
    """Raises ValueError where it is not what `to_json` writes."""
    try:
        return _plan(json.loads(content))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no host's network: {error}") from error


def _plan(fields: Mapping[str, Any]) -> HostNetwork:
    return HostNetwork(
        HostId(fields["host"]),
        IPv4Address(fields["tunnel_address"]),
        tuple(
            Segment(
                int(segment["number"]),
                Zone(segment["zone"]),
                tuple(IPv4Interface(gateway) for gateway in segment["gateways"]),
                tuple(IPv4Address(peer) for peer in segment["peers"]),
                tuple(
                    Port(
                        ServerId(port["server"]),
                        port["mac"],
                        IPv4Address(port["address"]),
                        tuple(
                            PortRule(
                                Direction(rule["direction"]),
                                Protocol(rule["protocol"]),
                                _ports(rule["ports"]),
                                tuple(IPv4Network(remote) for remote in rule["remotes"]),
                            )
                            for rule in port["rules"]
                        ),
                    )
                    for port in segment["ports"]
                ),
            )
            for segment in fields["segments"]
        ),
        tuple(
            Passage(
                IPv4Network(passage["source"]),
                IPv4Network(passage["target"]),
                Protocol(passage["protocol"]),
                _ports(passage["ports"]),
            )
            for passage in fields["passages"]
        ),
    )


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "number": segment.number,
        "zone": segment.zone.value,
        "gateways": [str(gateway) for gateway in segment.gateways],
        "peers": [str(peer) for peer in segment.peers],
        "ports": [
            {
                "server": port.server,
                "mac": port.mac,
                "address": str(port.address),
                "rules": [
                    {
                        "direction": rule.direction.value,
                        "protocol": rule.protocol.value,
                        "ports": _range(rule.ports),
                        "remotes": [str(remote) for remote in rule.remotes],
                    }
                    for rule in port.rules
                ],
            }
            for port in segment.ports
        ],
    }


def _range(ports: PortRange | None) -> list[int] | None:
    return None if ports is None else [ports.first, ports.last]


def _ports(ends: list[int] | None) -> PortRange | None:
    return None if ends is None else PortRange(*ends)

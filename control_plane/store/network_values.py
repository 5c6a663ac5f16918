"""Security rules as JSON and back, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from typing import Any

from control_plane.model.ids import SecurityGroupId
from control_plane.model.network import Direction, PortRange, Protocol, SecurityRule

Json = dict[str, Any]


def rules_to_json(rules: Iterable[SecurityRule]) -> list[Json]:
    """What is not said is left out."""
    return [_to_json(rule) for rule in rules]


def rules_from_json(values: Sequence[Json]) -> tuple[SecurityRule, ...]:
    return tuple(_from_json(value) for value in values)


def _to_json(rule: SecurityRule) -> Json:
    value: Json = {"direction": rule.direction.value, "protocol": rule.protocol.value}
    if rule.ports is not None:
        value["ports"] = [rule.ports.first, rule.ports.last]
    if rule.remote is not None:
        value["remote"] = str(rule.remote)
    if rule.remote_group is not None:
        value["remote_group"] = rule.remote_group
    if rule.offices:
        value["offices"] = True
    if rule.description:
        value["description"] = rule.description
    return value


def _from_json(value: Json) -> SecurityRule:
    group = value.get("remote_group")
    return SecurityRule(
        direction=Direction(value["direction"]),
        protocol=Protocol(value["protocol"]),
        ports=PortRange(*value["ports"]) if "ports" in value else None,
        remote=IPv4Network(value["remote"]) if "remote" in value else None,
        remote_group=None if group is None else SecurityGroupId(group),
        offices=value.get("offices", False),
        description=value.get("description", ""),
    )

"""Reads `pool.yaml` of a story: the pool (written out or by the name of a shared one) and its systems.

pool: three-hosts            # tests/scenarios/pools/three-hosts.yaml, or the pool written out
later: [kyoto-3]             # hosts that join during the story
systems:
  residents: {tier: 0, servers: {db: {flavor: small}, app: {flavor: small, start_order: 1}}}
                             # member: "262048" makes a system the other member's
later_systems: …             # the same, for systems that join during the story
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from control_plane.model.ids import HostId
from control_plane.model.pool import Endpoint, Host, Zone
from control_plane.pool_file import PoolDescription, parse

POOLS = Path(__file__).parent / "pools"


@dataclass(frozen=True, slots=True)
class ServerSetting:
    """One server of a system; `name` is `<system>-<role>`."""

    name: str
    role: str
    flavor: str
    start_order: int = 0
    group: str | None = None
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SystemSetting:
    name: str
    tier: int
    zone: Zone
    servers: tuple[ServerSetting, ...]
    member: str = "012220"


@dataclass(frozen=True, slots=True)
class Setting:
    pool: PoolDescription
    later: frozenset[HostId]
    systems: tuple[SystemSetting, ...]
    later_systems: Mapping[str, SystemSetting]

    def host(self, host: HostId, since: datetime) -> Host:
        """As it enters the pool. Simulated hosts need an address each, so that migration finds its
        way; a pool file may leave it out."""
        described = next(h for h in self.pool.hosts if h.id == host).as_host(since)
        if described.endpoint.uri:
            return described
        return replace(described, endpoint=Endpoint("simulated", f"simulated://{host}"))


def read_setting(path: Path) -> Setting:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = raw["pool"]
    if isinstance(named, str):
        source = POOLS / f"{named}.yaml"
        pool = _parsed(source.read_text(encoding="utf-8"), str(source))
    else:
        pool = _parsed(yaml.safe_dump(named, allow_unicode=True), str(path))
    later = {s.name: s for s in _systems(raw.get("later_systems", {}))}
    return Setting(
        pool,
        frozenset(HostId(host) for host in raw.get("later", [])),
        _systems(raw.get("systems", {})),
        later,
    )


# Most stories share a pool.
_parsed = cache(parse)


def _systems(raw: Mapping[str, Any]) -> tuple[SystemSetting, ...]:
    return tuple(
        SystemSetting(
            name,
            int(described.get("tier", 1)),
            Zone(described.get("zone", "lgwan")),
            tuple(
                ServerSetting(
                    f"{name}-{role}",
                    role,
                    server["flavor"],
                    int(server.get("start_order", 0)),
                    server.get("group"),
                    frozenset(server.get("traits", [])),
                )
                for role, server in described["servers"].items()
            ),
            str(described.get("member", "012220")),
        )
        for name, described in raw.items()
    )

"""Hosts, leases and a clock that moves when it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, RegionId, SiteId
from control_plane.model.pool import Endpoint, Host
from control_plane.model.units import MiB, Resources, Seconds, VCpu
from deploy.host_agent import yui_host_agent

BEGINNING = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass
class HandClock:
    """Time passes by `advance`, and by sleeping."""

    elapsed: float = 0.0
    _began: datetime = field(default=BEGINNING)

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.elapsed)

    def monotonic(self) -> Seconds:
        return Seconds(self.elapsed)

    def sleep(self, duration: Seconds) -> None:
        self.elapsed += duration

    def advance(self, duration: float) -> None:
        self.elapsed += duration


def a_host(name: str = "kyoto-1", **endpoint: Any) -> Host:
    return Host(
        id=HostId(name),
        site=SiteId("kyoto-dc"),
        region=RegionId("kyoto"),
        capacity=Resources(VCpu(4), MiB(4096)),
        zones=frozenset(),
        storage=frozenset(),
        endpoint=Endpoint(**{"driver": "libvirt", "uri": "test:///default", **endpoint}),
        health=Up(BEGINNING),
    )


def lease_block(**changes: Any) -> bytes:
    """A renewal as the host agent itself encodes it."""
    fields = {
        "host": "kyoto-1",
        "boot": "8d2f",
        "agent": "a1",
        "sequence": 1,
        "ttl": 20.0,
        "watchdog": 15.0,
        "armed": True,
    }
    return yui_host_agent.encode({**fields, **changes})


@dataclass
class LeaseFile:
    """The lease of one host on a storage of its own."""

    path: Path
    sequence: int = 0

    def renew(self, **changes: Any) -> None:
        self.sequence += 1
        self.path.write_bytes(lease_block(**{"sequence": self.sequence, **changes}))

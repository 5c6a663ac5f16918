"""The two ways in which a simulated host is heard: management network, heartbeat on shared storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from control_plane.drivers.world import Sign
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

if TYPE_CHECKING:
    from control_plane.drivers.simulated.vantage import Gate
    from control_plane.drivers.simulated.world import SimulatedWorld


@dataclass(frozen=True, slots=True)
class _Sight:
    counter: int
    since: Seconds
    grown: bool
    """Seen to grow by this process, so that the host was alive while it watched."""


@dataclass(slots=True)
class LeaseWatch:
    """What one process has itself seen of the leases. A lease that could not be read in between was
    not watched: the time counts from zero again."""

    world: SimulatedWorld
    _seen: dict[HostId, _Sight] = field(default_factory=dict)

    def look(self, host: Host) -> _Sight | None:
        """The lease as it is now, with the instant since which it was seen unchanged; None while
        the storage that holds it cannot be read."""
        machine = self.world.machine(host)
        pool = machine.lease_pool()
        now = self.world.virtual_clock.monotonic()
        if pool is not None and not pool.available:
            self._seen.pop(host.id, None)
            return None
        counter = machine.lease_counter()
        before = self._seen.get(host.id)
        if before is not None and before.counter == counter:
            return before
        sight = self._seen[host.id] = _Sight(counter, now, before is not None)
        return sight

    def unchanged_for(self, host: Host) -> Seconds | None:
        sight = self.look(host)
        if sight is None:
            return None
        return Seconds(self.world.virtual_clock.monotonic() - sight.since)


@dataclass(frozen=True, slots=True)
class ManagementNetwork:
    world: SimulatedWorld
    gate: Gate
    name: str = "management-network"

    def listen(self, host: Host) -> Sign:
        self.gate.leave("listen")
        if not self.gate.uplink:
            return Sign.UNKNOWN
        return Sign.ALIVE if self.world.machine(host).answers else Sign.SILENT


@dataclass(frozen=True, slots=True)
class StorageHeartbeat:
    """Silent once the lease was seen unchanged for its whole lifetime; until it has been seen to
    grow or that time has passed, nothing is known."""

    world: SimulatedWorld
    gate: Gate
    watch: LeaseWatch
    name: str = "storage-heartbeat"

    def listen(self, host: Host) -> Sign:
        self.gate.leave("listen")
        sight = self.watch.look(host)
        if sight is None:
            return Sign.UNKNOWN
        if self.world.virtual_clock.monotonic() - sight.since >= self.world.timing.lease_ttl:
            return Sign.SILENT
        return Sign.ALIVE if sight.grown else Sign.UNKNOWN

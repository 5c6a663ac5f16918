"""The leases of simulated hosts, watched by the very rules that watch real ones.

Only the reading is simulated. When a lease proves that its host was reset, and when it proves
nothing, is decided by control_plane.drivers.fencing, so that stories try the real rules.
"""

from __future__ import annotations

from control_plane.drivers.fencing import LeaseRecord, LeaseUnreadable, LeaseWatch
from control_plane.drivers.fencing.lease_watch import Sight, sighted
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.premises import Premises
from control_plane.drivers.world import Clock
from control_plane.model.pool import Host


class SimulatedLeases(LeaseWatch):
    """What one process has itself seen of the leases."""

    def __init__(self, world: Premises, clock: Clock) -> None:
        super().__init__(clock)
        self._world = world

    def _look(self, host: Host, before: Sight | None) -> Sight:
        machine = self._world.machine(host)
        pool = machine.lease_pool()
        if pool is not None and not pool.available:
            raise LeaseUnreadable(f"The storage that holds the lease of {host.id} cannot be read.")
        record, now = self._record(machine), self._world.virtual_clock.monotonic()
        return sighted(before, "", record, now, now)

    def _record(self, machine: Machine) -> LeaseRecord:
        timing = self._world.timing
        return LeaseRecord(
            host=machine.host.id,
            boot_id=f"boot {machine.lease.boots}",
            agent=f"agent {machine.lease.boots}",
            sequence=machine.lease_counter(),
            ttl=timing.lease_ttl,
            watchdog=timing.watchdog,
            armed=machine.has_watchdog,
        )

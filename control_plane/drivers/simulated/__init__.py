"""Hosts, storage and time that only exist in memory, and behave like real ones down to their faults.

Stories of failure are played here: the same control plane runs against it as against real machines.
Hardware (`machine`, `storage`, `clock`, put together in `premises`) knows nothing of a control plane;
`driver`, `channels` and `fencers` are what a control plane sees of it, through its `gate`; `faults` is
what can go wrong; `monitor` watches what must never happen.
"""

from control_plane.drivers.simulated.clock import ControlPlaneKilled, VirtualClock
from control_plane.drivers.simulated.machine import Bmc, Running
from control_plane.drivers.simulated.monitor import Violation
from control_plane.drivers.simulated.objects import Bucket
from control_plane.drivers.simulated.surroundings import Happening
from control_plane.drivers.simulated.timing import Timing
from control_plane.drivers.simulated.vantage import Vantage
from control_plane.drivers.simulated.world import SimulatedWorld

__all__ = [
    "Bmc",
    "Bucket",
    "ControlPlaneKilled",
    "Happening",
    "Running",
    "SimulatedWorld",
    "Timing",
    "Vantage",
    "Violation",
    "VirtualClock",
]

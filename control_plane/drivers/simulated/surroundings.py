"""What every simulated machine shares: the time, the storage, the monitor, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from control_plane.drivers.disk_exports import ServedDisk
from control_plane.drivers.simulated.clock import VirtualClock
from control_plane.drivers.simulated.monitor import InvariantMonitor
from control_plane.drivers.simulated.storage import SharedStorage, Volume
from control_plane.drivers.simulated.timing import Timing
from control_plane.model.ids import ImageId, StoragePoolId
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that truly happened in the simulated World, whether or not anybody saw it. `what`
    it happened to is a host's, server's or storage pool's name."""

    at: Seconds
    what: str
    text: str


@dataclass(slots=True)
class Surroundings:
    """`disk_locks` False switches the hypervisors' own locks off, to see what else holds."""

    clock: VirtualClock
    timing: Timing
    monitor: InvariantMonitor = field(default_factory=InvariantMonitor)
    pools: dict[StoragePoolId, SharedStorage] = field(default_factory=dict)
    disk_locks: bool = True
    corrupt_arrivals: dict[ImageId, int] = field(default_factory=dict)
    """How many more copies of an image arrive broken."""
    listeners: list[Callable[[Happening], None]] = field(default_factory=list)

    exports: dict[str, ServedDisk] = field(default_factory=dict)
    """Disks that control planes serve to hosts, by where they are found."""

    def tell(self, what: str, text: str) -> None:
        if self.listeners:
            happening = Happening(self.clock.monotonic(), what, text)
            for listener in self.listeners:
                listener(happening)

    def pool_of(self, volume: Volume) -> SharedStorage:
        return self.pools[volume.pool]

"""Where one control-plane process stands in the simulated World.

Every process sees the same World, remembers only what it has itself observed, and can be paused or
killed on its own at any call. That is how stories have a control plane die between a fence and the
first restart, or two of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from control_plane.drivers.container_volumes import ContainerVolumes, NoPlatform
from control_plane.drivers.disk_exports import DiskExports
from control_plane.drivers.fencing import LeaseChannel, LeaseFencer
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.protocol import HostDriver
from control_plane.drivers.simulated import channels, fencers
from control_plane.drivers.simulated.channels import ManagementNetwork
from control_plane.drivers.simulated.clock import Begun
from control_plane.drivers.simulated.container_volumes import SimulatedVolumes
from control_plane.drivers.simulated.driver import SimulatedDriver
from control_plane.drivers.simulated.fencers import BmcFencer
from control_plane.drivers.simulated.gate import Gate, ProcessClock
from control_plane.drivers.simulated.leaning import SimulatedExports
from control_plane.drivers.simulated.leases import SimulatedLeases
from control_plane.drivers.simulated.machine import Bmc
from control_plane.drivers.simulated.objects import SimulatedObjects
from control_plane.drivers.simulated.premises import Premises
from control_plane.drivers.world import Clock, Fencer, Lane, LivenessChannel, Notifier
from control_plane.model.ids import RegionId
from control_plane.model.operation import Event
from control_plane.model.pool import Host

T = TypeVar("T")


class GatedNotifier:
    """Keeps what people were told, in order."""

    name = "people"

    def __init__(self, world: Premises, gate: Gate) -> None:
        self._world = world
        self._gate = gate

    def notify(self, event: Event) -> None:
        self._gate.leave("notify")
        self._world.told.append(event)


class Vantage:
    """A World (drivers/world.py) for one process."""

    def __init__(self, world: Premises) -> None:
        self.gate = Gate(world.virtual_clock)
        self._world = world
        self._clock = ProcessClock(self.gate)
        self._notifier = GatedNotifier(world, self.gate)
        leases = SimulatedLeases(world, self._clock)
        margin = world.timing.lease_margin
        self._channels = (
            ManagementNetwork(world, self.gate, lambda host: leases.answered(host, margin)),
            channels.Gated(LeaseChannel(leases), self.gate),
        )
        self._exports = SimulatedExports(world, self.gate)
        self._bmc = BmcFencer(world, self.gate)
        lease = LeaseFencer(self._clock, leases, margin=margin)
        self._lease = fencers.Gated(lease, self.gate)

    @property
    def clock(self) -> Clock:
        return self._clock

    def notifiers(self) -> Sequence[Notifier]:
        return (self._notifier,)

    def driver(self, host: Host) -> HostDriver:
        return SimulatedDriver(self._world, self.gate, self._world.machine(host))

    def channels(self) -> Sequence[LivenessChannel]:
        return self._channels

    def fencers(self, host: Host) -> Sequence[Fencer]:
        machine = self._world.machine(host)
        return [self._lease] if machine.bmc is Bmc.ABSENT else [self._bmc, self._lease]

    def objects(self, place: str) -> ObjectStore:
        return SimulatedObjects(self._world.bucket(place), self.gate)

    def disk_exports(self) -> DiskExports:
        return self._exports

    def container_volumes(self, region: RegionId) -> ContainerVolumes:
        platform = self._world.platforms.get(region)
        if platform is None:
            raise NoPlatform(f"Nothing in region {region} runs containers.")
        return SimulatedVolumes(platform, self.gate)

    def switch_on(self, host: Host) -> None:
        self._bmc.switch_on(host)

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> Sequence[T | BaseException]:
        return self._world.virtual_clock.run_all(tasks)

    def submit(self, task: Callable[[], T], lane: Lane = Lane.SLOW) -> Begun[T]:  # noqa: ARG002
        """Nothing waits for a free worker here, so that all lanes are alike."""
        return self._world.virtual_clock.submit(task)

"""Where one control-plane process stands in the simulated World.

Every process sees the same World, remembers only what it has itself observed, and can be paused or
killed on its own at any call. That is how stories have a control plane die between a fence and the
first restart, or two of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from control_plane.drivers.fencing import LeaseChannel, LeaseFencer
from control_plane.drivers.protocol import HostDriver
from control_plane.drivers.simulated import channels, fencers
from control_plane.drivers.simulated.channels import ManagementNetwork
from control_plane.drivers.simulated.clock import Begun, ControlPlaneKilled
from control_plane.drivers.simulated.driver import SimulatedDriver
from control_plane.drivers.simulated.fencers import BmcFencer
from control_plane.drivers.simulated.leases import SimulatedLeases
from control_plane.drivers.simulated.machine import Bmc
from control_plane.drivers.world import Clock, Fencer, Lane, LivenessChannel, Notifier
from control_plane.model.operation import Event
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

if TYPE_CHECKING:
    from control_plane.drivers.simulated.world import SimulatedWorld

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Gate:
    """Every call of the process passes here, on its way out and back."""

    world: SimulatedWorld
    killed: bool = False
    paused: bool = False
    calls: int = 0
    """How many calls to the World have begun."""
    uplink: bool = True
    """Whether the process reaches any network at all."""
    before_call: Callable[[str], None] = lambda _: None
    """Given the name of each call as it begins, for whoever wants to stop the process there."""
    _waiting: list[Callable[[], None]] = field(default_factory=list)

    def leave(self, call: str) -> None:
        self.calls += 1
        self.before_call(call)
        self.check()

    def check(self) -> None:
        while self.paused and not self.killed:
            self.world.virtual_clock.wait_for(self._waiting.append)
        if self.killed:
            raise ControlPlaneKilled

    def kill(self) -> None:
        self.killed = True
        self._wake()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


class ProcessClock:
    """The World's time as one process lives it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._clock = gate.world.virtual_clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> Seconds:
        return self._clock.monotonic()

    def sleep(self, duration: Seconds) -> None:
        self._gate.check()
        self._clock.sleep(duration)
        self._gate.check()


class GatedNotifier:
    """Keeps what people were told, in order."""

    name = "people"

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def notify(self, event: Event) -> None:
        self._gate.leave("notify")
        self._gate.world.told.append(event)


class Vantage:
    """A World (drivers/world.py) for one process."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.gate = Gate(world)
        self._world = world
        self._clock = ProcessClock(self.gate)
        self._notifier = GatedNotifier(self.gate)
        leases = SimulatedLeases(world, self._clock)
        margin = world.timing.lease_margin
        self._channels = (
            ManagementNetwork(world, self.gate, lambda host: leases.answered(host, margin)),
            channels.Gated(LeaseChannel(leases), self.gate),
        )
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

    def switch_on(self, host: Host) -> None:
        self._bmc.switch_on(host)

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> Sequence[T | BaseException]:
        return self._world.virtual_clock.run_all(tasks)

    def submit(self, task: Callable[[], T], lane: Lane = Lane.SLOW) -> Begun[T]:  # noqa: ARG002
        """Nothing waits for a free worker here, so that all lanes are alike."""
        return self._world.virtual_clock.submit(task)

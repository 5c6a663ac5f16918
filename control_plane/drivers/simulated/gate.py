"""Where one process of a control plane can be paused or killed: at any call it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.drivers.simulated.clock import ControlPlaneKilled, VirtualClock
from control_plane.model.units import Seconds


@dataclass(slots=True, eq=False)
class Gate:
    """Every call of the process passes here, on its way out and back."""

    clock: VirtualClock
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
            self.clock.wait_for(self._waiting.append)
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
        self._clock = gate.clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> Seconds:
        return self._clock.monotonic()

    def sleep(self, duration: Seconds) -> None:
        self._gate.check()
        self._clock.sleep(duration)
        self._gate.check()

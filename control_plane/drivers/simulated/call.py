"""What stands between a process and a simulated host: silence, lost answers, and troubles that were arranged."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from control_plane.drivers.protocol import DriverError, HostUnreachable
from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.premises import Premises
from control_plane.model.ids import ServerId


@dataclass(slots=True)
class Call:
    """One call's way to the host and back, with whatever was arranged to go wrong on it."""

    world: Premises
    gate: Gate
    machine: Machine
    name: str
    server: ServerId | None

    def __enter__(self) -> None:
        self.gate.leave(self.name)
        if not self._reached():
            self._time_out("did not answer")
        trouble = self.world.trouble
        if trouble:
            error = trouble.before(self.machine.host.id, self.name, self.server)
            if error is not None:
                raise error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, DriverError):
            return
        host, trouble = self.machine.host.id, self.world.trouble
        if trouble:
            self.world.virtual_clock.sleep(trouble.holds_answer(host, self.name, self.server))
        lost = trouble and trouble.loses_answer(host, self.name, self.server)
        if lost or not self._reached():
            self._time_out("took a call and did not answer it")
        self.gate.check()

    def _reached(self) -> bool:
        return self.gate.uplink and self.machine.answers

    def _time_out(self, how: str) -> None:
        timeout = self.world.timing.call_timeout
        self.world.virtual_clock.sleep(timeout)
        self.gate.check()
        raise HostUnreachable(f"{self.machine} {how} within {timeout:.0f} s.")

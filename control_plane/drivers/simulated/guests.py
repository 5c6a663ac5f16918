"""What simulated guests run and serve when they are asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

from control_plane.drivers.guest import (
    PROBE_BODY,
    GuestHook,
    HookResult,
    HttpProbe,
    ProbeResult,
    last_line,
)
from control_plane.drivers.protocol import DriverError, ProbeImpossible, ServerSpec
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.premises import Premises
from control_plane.model.backup.dumps import HOOKS_FOLDER, HookEnd
from control_plane.model.health import Miss
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds

_LOOK = Seconds(1.0)


class SimulatedGuests(ABC):
    """Each method as in HostDriver."""

    world: Premises
    machine: Machine

    @abstractmethod
    def _call(self, name: str, server: ServerId | None = None) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _tell(self, text: str) -> None: ...

    @abstractmethod
    def _defined(self, server: ServerId) -> ServerSpec: ...

    def run_hook(self, server: ServerId, hook: GuestHook, wanted: Callable[[], bool]) -> HookResult:
        if not hook.name.replace("-", "").isalnum():
            raise DriverError(f"'{hook.name}' can't be the name of a hook.")
        with self._call("run_hook", server):
            self._defined(server)
            if server not in self.machine.guests:
                return HookResult(HookEnd.AT_REST)
            if server in self.world.deaf_guests or not self.machine.guest_answers(server):
                return HookResult(HookEnd.NO_AGENT)
            program = self.world.programs.get((server, hook.name))
            self._tell(f"run hook {hook.name} in {server}")
        if program is None:
            said = f"sh: {HOOKS_FOLDER}/{hook.name}: not found"
            return HookResult(HookEnd.FAILED, 0.0, 127, said)
        clock = self.world.virtual_clock
        begun = clock.monotonic()
        while (passed := clock.monotonic() - begun) < program.seconds:
            if passed > hook.timeout:
                return HookResult(HookEnd.TIMED_OUT, passed)
            if not wanted():
                return HookResult(HookEnd.STOPPED, passed)
            clock.sleep(Seconds(min(_LOOK, program.seconds - passed)))
            with self._call("look_at_hook", server):
                if not self.machine.guest_answers(server):
                    return HookResult(HookEnd.FAILED, passed, said="the server stopped meanwhile")
        program.does()
        end = HookEnd.FAILED if program.exit_status else HookEnd.DONE
        return HookResult(end, passed, program.exit_status, last_line(program.prints))

    def probe(self, server: ServerId, probe: HttpProbe) -> ProbeResult:
        with self._call("probe", server):
            if not self._defined(server).isolated:
                raise ProbeImpossible(f"{server} is not isolated.")
            if server not in self.machine.guests:
                return ProbeResult(None, miss=Miss.NOT_RUNNING)
            known = [address.split("/")[0] for address in probe.addresses]
            is_there = self._defined(server).address.split("/")[0] in known
            if not is_there or not self.machine.guest_answers(server):
                return ProbeResult(None, miss=Miss.NOBODY)
            site = self.world.website
            if site.port != probe.port:
                return ProbeResult(None, miss=Miss.CLOSED)
            page = dict(site.pages).get(probe.path)
            if page is None:
                return ProbeResult(404)
            return ProbeResult(200, page[:PROBE_BODY])

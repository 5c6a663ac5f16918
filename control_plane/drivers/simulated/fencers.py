"""The fence of simulated hosts by their BMC: power-off, then reading it back."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.machine import Bmc, Machine, Running
from control_plane.drivers.simulated.premises import Premises
from control_plane.drivers.world import FenceFailed, Fencer, PowerFailed
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.pool import Host


@dataclass(frozen=True, slots=True)
class BmcFencer:
    world: Premises
    gate: Gate
    name: str = "redfish"

    def fence(self, host: Host) -> FenceEvidence:
        self.gate.leave("fence")
        machine = self.world.machine(host)
        clock, timing = self.world.virtual_clock, self.world.timing
        if not self.gate.uplink or not machine.powered or machine.bmc in (Bmc.DEAD, Bmc.HANGS):
            clock.sleep(timing.bmc_timeout)
            self.gate.check()
            raise FenceFailed(
                f"The BMC of {host.id} did not answer within {timing.bmc_timeout:.0f} s."
            )
        clock.sleep(timing.bmc_answer)
        self.gate.check()
        if machine.bmc is Bmc.WORKS:
            machine.power_off(f"the BMC of {host.id} cuts its power")
        clock.sleep(timing.bmc_answer)
        if not self._reads_off(machine):
            self.gate.check()
            raise FenceFailed(
                f"The BMC of {host.id} accepted the power-off, and reads back as still on."
            )
        evidence = FenceEvidence(
            host.id,
            FenceKind.REDFISH_POWER_OFF,
            clock.now(),
            f"BMC of {host.id}",
            "Power was cut and read back as off.",
        )
        self.gate.check()
        return evidence

    def switch_on(self, host: Host) -> None:
        self.gate.leave("switch_on")
        machine = self.world.machine(host)
        clock, timing = self.world.virtual_clock, self.world.timing
        reached = self.gate.uplink and machine.powered
        if not reached or machine.bmc in (Bmc.ABSENT, Bmc.DEAD, Bmc.HANGS):
            clock.sleep(timing.bmc_timeout)
            self.gate.check()
            raise PowerFailed(f"The BMC of {host.id} did not answer.")
        clock.sleep(timing.bmc_answer)
        self.gate.check()
        if machine.bmc is Bmc.WORKS and machine.running is Running.OFF:
            self.world.around.tell(host.id, f"the BMC of {host.id} switches it on")
            machine.power_on()

    @staticmethod
    def _reads_off(machine: Machine) -> bool:
        return machine.bmc is Bmc.LIES or machine.running is Running.OFF


@dataclass(frozen=True, slots=True)
class Gated:
    """Another fence, used by a process that can be stopped."""

    fencer: Fencer
    gate: Gate

    @property
    def name(self) -> str:
        return self.fencer.name

    def fence(self, host: Host) -> FenceEvidence:
        self.gate.leave("fence")
        return self.fencer.fence(host)

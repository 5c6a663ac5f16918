"""Fences of simulated hosts: power-off by BMC with read-back, and the lease under a watchdog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from control_plane.drivers.simulated.channels import LeaseWatch
from control_plane.drivers.simulated.machine import Bmc, Machine, Running
from control_plane.drivers.world import FenceFailed
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.pool import Host

if TYPE_CHECKING:
    from control_plane.drivers.simulated.vantage import Gate
    from control_plane.drivers.simulated.world import SimulatedWorld


@dataclass(frozen=True, slots=True)
class BmcFencer:
    world: SimulatedWorld
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

    @staticmethod
    def _reads_off(machine: Machine) -> bool:
        return machine.bmc is Bmc.LIES or machine.running is Running.OFF


@dataclass(frozen=True, slots=True)
class LeaseFencer:
    world: SimulatedWorld
    gate: Gate
    watch: LeaseWatch
    name: str = "storage-lease"

    def fence(self, host: Host) -> FenceEvidence:
        self.gate.leave("fence")
        unchanged = self.watch.unchanged_for(host)
        needed = self.world.timing.lease_proof
        if unchanged is None:
            raise FenceFailed(f"The storage that holds the lease of {host.id} cannot be read.")
        if unchanged < needed:
            raise FenceFailed(
                f"The lease of {host.id} was seen unchanged for {unchanged:.0f} s of {needed:.0f} s."
            )
        return FenceEvidence(
            host.id,
            FenceKind.LEASE_EXPIRED,
            self.world.virtual_clock.now(),
            f"lease of {host.id}",
            f"Its lease was seen unchanged for {unchanged:.0f} s, so its watchdog has reset it.",
        )

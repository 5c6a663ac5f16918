"""Units of what a host gives and a workload takes, so that no bare number crosses an interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

VCpu = NewType("VCpu", int)
"""Virtual CPUs. A host's figure is already multiplied by its overcommit ratio."""

MiB = NewType("MiB", int)
"""2**20 bytes, used for memory."""

GiB = NewType("GiB", int)
"""2**30 bytes, used for disks."""

Seconds = NewType("Seconds", float)
"""A duration, or an instant of a clock that only moves forward."""


@dataclass(frozen=True, slots=True, order=False)
class Resources:
    """What a host gives or a workload takes of it: vCPU and memory.

    Disk is not here, because disks live on storage pools that several hosts reach.
    """

    vcpu: VCpu
    memory: MiB

    def __add__(self, other: Resources) -> Resources:
        return Resources(VCpu(self.vcpu + other.vcpu), MiB(self.memory + other.memory))

    def __sub__(self, other: Resources) -> Resources:
        """May go below zero: a shortfall is a meaningful answer."""
        return Resources(VCpu(self.vcpu - other.vcpu), MiB(self.memory - other.memory))

    def fits_in(self, room: Resources) -> bool:
        return self.vcpu <= room.vcpu and self.memory <= room.memory

    def shortfall_in(self, room: Resources) -> Resources:
        """How much of each resource `room` lacks to hold this; zero where it suffices."""
        return Resources(
            VCpu(max(0, self.vcpu - room.vcpu)), MiB(max(0, self.memory - room.memory))
        )

    def __str__(self) -> str:
        return f"{self.vcpu} vCPU, {self.memory} MiB"


NOTHING = Resources(VCpu(0), MiB(0))

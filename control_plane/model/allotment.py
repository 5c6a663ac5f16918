"""A member's capacity in one region, in three numbers: what is guaranteed to it, what it may ask for
at most (its quota), and what of the difference the pool can lend now.

Usage is the sum of what its servers were asked to be, each once and wherever it is: on two hosts while
it moves, on none while it is stranded, stopped or being deleted. So no failure and no migration ever
counts twice.
Of a shelved server only the disk counts, since that alone is kept for it.

The quota bounds what a member wants, so container groups on record count against it beside what is used.
Guarantees and lending are about room, and a group holds none: it uses up no guarantee, since what is kept
for the guarantee would go to others while nothing runs in it, and it borrows nothing that could be given
back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from control_plane.model.ids import Generation, RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, Resources, VCpu


@dataclass(frozen=True, slots=True)
class Capacity:
    """Room for servers with their disks."""

    vcpu: VCpu = VCpu(0)
    memory: MiB = MiB(0)
    disk: GiB = GiB(0)

    @staticmethod
    def of(size: Resources, disk: GiB) -> Capacity:
        return Capacity(size.vcpu, size.memory, disk)

    @property
    def size(self) -> Resources:
        return Resources(self.vcpu, self.memory)

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(
            VCpu(self.vcpu + other.vcpu),
            MiB(self.memory + other.memory),
            GiB(self.disk + other.disk),
        )

    def __bool__(self) -> bool:
        return any(amount for _, amount in self)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Each resource by its name, with its unit in the name where it has one."""
        yield "vcpus", self.vcpu
        yield "memory_mib", self.memory
        yield "disk_gib", self.disk

    def beyond(self, other: Capacity) -> Capacity:
        """What of this `other` does not cover, resource by resource."""
        return Capacity(
            VCpu(max(0, self.vcpu - other.vcpu)),
            MiB(max(0, self.memory - other.memory)),
            GiB(max(0, self.disk - other.disk)),
        )

    def within(self, other: Capacity) -> Capacity:
        """What of this `other` covers, resource by resource."""
        return Capacity(
            VCpu(min(self.vcpu, other.vcpu)),
            MiB(min(self.memory, other.memory)),
            GiB(min(self.disk, other.disk)),
        )

    def or_more(self, other: Capacity) -> Capacity:
        """The larger of the two, resource by resource."""
        return self + other.beyond(self)

    def times(self, factor: float) -> Capacity:
        """Rounded up."""
        return Capacity(
            VCpu(ceil(self.vcpu * factor)),
            MiB(ceil(self.memory * factor)),
            GiB(ceil(self.disk * factor)),
        )

    def fits_in(self, other: Capacity) -> bool:
        return not self.beyond(other)


_NOTHING = Capacity()


@dataclass(frozen=True, slots=True)
class Allotment:
    """What one member has of one region. `generation` grows when either number is set anew. Raises
    ValueError where more would be guaranteed than may be asked for."""

    tenant: MunicipalityCode
    region: RegionId
    guaranteed: Capacity
    quota: Capacity
    generation: Generation = Generation(1)

    def __post_init__(self) -> None:
        if not self.guaranteed.fits_in(self.quota):
            raise ValueError(f"{self.tenant} is guaranteed more than its quota")

    def borrowed(self, used: Capacity) -> Capacity:
        """What it uses beyond its guarantee."""
        return used.beyond(self.guaranteed)

    def unused(self, used: Capacity) -> Capacity:
        """What of its guarantee is kept for it."""
        return self.guaranteed.beyond(used)

    def borrowable(
        self, used: Capacity, lendable: Capacity, on_record: Capacity = _NOTHING
    ) -> Capacity:
        """What it may still ask for beyond its guarantee, where the pool can lend `lendable` and its
        container groups take `on_record` of the quota."""
        left = self.quota.beyond(on_record)
        return left.beyond(used.or_more(self.guaranteed)).within(lendable)


QUOTA_SHARE = 1.5
"""The quota of a new member, in guarantees, where nobody decided otherwise."""


def allotment_at_joining(
    tenant: MunicipalityCode, region: RegionId, needed: Capacity, share: float = QUOTA_SHARE
) -> Allotment:
    """What its systems need is guaranteed."""
    return Allotment(tenant, region, needed, needed.times(max(1.0, share)))

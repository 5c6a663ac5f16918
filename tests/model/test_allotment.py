"""What borrowing is, in figures."""

import pytest

from control_plane.model.allotment import Allotment, Capacity, allotment_at_joining
from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, VCpu

MIKASA = MunicipalityCode("012220")
KYOTO = RegionId("kyoto")


def capacity(vcpu: int, memory: int, disk: int) -> Capacity:
    return Capacity(VCpu(vcpu), MiB(memory), GiB(disk))


PLENTY = capacity(1000, 1000, 1000)


def test_what_a_new_member_needs_is_guaranteed_and_half_as_much_again_may_be_asked_for():
    allotment = allotment_at_joining(MIKASA, KYOTO, capacity(3, 2048, 25))
    assert allotment.guaranteed == capacity(3, 2048, 25)
    assert allotment.quota == capacity(5, 3072, 38)


def test_more_than_the_quota_cannot_be_guaranteed():
    with pytest.raises(ValueError, match="more than its quota"):
        Allotment(MIKASA, KYOTO, capacity(3, 0, 0), capacity(2, 100, 100))


def test_each_resource_is_borrowed_by_itself():
    allotment = Allotment(MIKASA, KYOTO, capacity(4, 100, 10), capacity(8, 200, 20))
    used = capacity(5, 60, 10)
    assert allotment.borrowed(used) == capacity(1, 0, 0)
    assert allotment.unused(used) == capacity(0, 40, 0)
    assert allotment.borrowable(used, PLENTY) == capacity(3, 100, 10)


def test_nobody_borrows_more_than_the_pool_can_lend_or_less_than_nothing():
    allotment = Allotment(MIKASA, KYOTO, capacity(4, 100, 10), capacity(8, 200, 20))
    assert allotment.borrowable(capacity(0, 0, 0), capacity(1, 50, 3)) == capacity(1, 50, 3)
    assert allotment.borrowable(capacity(9, 150, 20), PLENTY) == capacity(0, 50, 0)

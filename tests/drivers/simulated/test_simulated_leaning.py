"""The simulated driver keeps every promise about disks that lean on others."""

from __future__ import annotations

import pytest

from control_plane.drivers.disk_exports import DiskExports
from tests.drivers.leaning_contract import LeaningContract
from tests.drivers.simulated.test_simulated_contract import TwoSimulatedHosts


class TestLeaningSimulated(LeaningContract):
    @pytest.fixture
    def hosts(self) -> TwoSimulatedHosts:
        return TwoSimulatedHosts()

    @pytest.fixture
    def exports(self, hosts: TwoSimulatedHosts) -> DiskExports:
        return hosts.exports()

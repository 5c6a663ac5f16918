"""The simulated driver keeps every promise about disks that are made from bytes."""

from __future__ import annotations

import pytest

from tests.drivers.fill_contract import FillContract
from tests.drivers.simulated.test_simulated_contract import TwoSimulatedHosts


class TestFillingSimulated(FillContract):
    @pytest.fixture
    def hosts(self) -> TwoSimulatedHosts:
        return TwoSimulatedHosts()

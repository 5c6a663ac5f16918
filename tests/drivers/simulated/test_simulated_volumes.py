"""The simulated platform's volumes do what every platform's do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.container_volumes import ContainerVolumes
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.simulated.container_volumes import (
    SimulatedGroup,
    SimulatedPlatform,
    SimulatedVolume,
)
from control_plane.model.ids import RegionId
from tests.drivers.volumes_contract import CLAIM, GROUP, TENANT, VolumesContract

REGION = RegionId("kyoto")


class SimulatedStage:
    def __init__(self) -> None:
        world = SimulatedWorld()
        platform = world.platforms[REGION] = SimulatedPlatform()
        self.volumes: ContainerVolumes = world.container_volumes(REGION)
        self._group: SimulatedGroup = platform.group(TENANT, GROUP)
        self._volume = self._group.volumes["data"] = SimulatedVolume(CLAIM)

    def fill(self, files: Mapping[bytes, bytes]) -> None:
        for path in [path for path in self._volume.files if path and path not in files]:
            del self._volume.files[path]
        for path, content in files.items():
            self._volume.put(path, content)

    def run(self, wants: Consistency, *, hook_fails: bool = False) -> None:
        self._group.running = True
        self._group.wants, self._group.hook_fails = wants, hook_fails

    def stop(self) -> None:
        self._group.running = False

    def runs(self) -> bool:
        return self._group.running


@pytest.fixture
def stage() -> SimulatedStage:
    return SimulatedStage()


class TestSimulatedVolumes(VolumesContract):
    pass

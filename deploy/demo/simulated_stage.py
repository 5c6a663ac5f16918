"""The story's stage where no hypervisor can be had: the same control plane on the simulated World."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from control_plane.cli.client import Api
from control_plane.cli.language import Language
from control_plane.drivers.protocol import DriverError
from control_plane.model.ids import HostId, ServerId
from control_plane.model.units import Seconds
from control_plane.pool_file import PoolDescription
from deploy.demo.simulated_cloud import SimulatedCloud
from deploy.demo.stage import NotAnswering
from tenants.models import ServerOut


class SimulatedStage:
    """`pace` is virtual seconds per second."""

    hypervisor = "simulated"

    def __init__(
        self, description: PoolDescription, members: Path, language: Language, pace: float
    ) -> None:
        self._cloud = SimulatedCloud(description, members, language, pace)
        self.hosts: Sequence[str] = [host.id for host in description.hosts]

    @property
    def api(self) -> Api:
        return self._cloud.api

    @property
    def approver(self) -> Api:
        return self._cloud.approver

    def now(self) -> datetime:
        return self._cloud.world.clock.now()

    def pause(self) -> None:
        self._cloud.world.clock.sleep(Seconds(0.5))

    def write(self, server: ServerOut, text: str) -> None:
        try:
            self._cloud.world.write_note(ServerId(server.id), text)
        except DriverError as error:
            raise NotAnswering(str(error)) from None

    def records(self, server: ServerOut) -> tuple[str, ...]:
        if not self._cloud.world.answering(ServerId(server.id)):
            raise NotAnswering(server.name)
        return self._cloud.world.notes(ServerId(server.id))

    def copies(self) -> dict[str, int]:
        with self._cloud.store.read() as tx:
            servers = tx.servers()
        return {s.name: len(self._cloud.world.hosts_running(s.id)) for s in servers}

    def kill(self, host: str) -> None:
        self._cloud.world.cut_network(HostId(host))
        self._cloud.world.crash(HostId(host))

    def close(self) -> None:
        self._cloud.close()

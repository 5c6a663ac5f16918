"""The simulated World: hosts, storage and time that behave like real ones, and faults on demand.

It is itself a World for one control-plane process; `seen_by_another_process` gives further ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from control_plane.drivers.container_volumes import ContainerVolumes
from control_plane.drivers.disk_exports import DiskExports
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.protocol import DriverError, HostDriver, RunState
from control_plane.drivers.simulated.clock import Begun
from control_plane.drivers.simulated.disk_content import written
from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.monitor import Violation
from control_plane.drivers.simulated.premises import BEGINNING, Premises
from control_plane.drivers.simulated.surroundings import Happening
from control_plane.drivers.simulated.timing import Timing
from control_plane.drivers.simulated.vantage import Vantage
from control_plane.drivers.world import Clock, Fencer, Lane, LivenessChannel, Notifier
from control_plane.model.ids import HostId, RegionId, ServerId, VolumeId
from control_plane.model.pool import Host, StoragePool
from control_plane.model.units import Seconds

T = TypeVar("T")


class SimulatedWorld(Premises):
    """See Premises for what it is made from."""

    def __init__(
        self,
        *,
        storage: Iterable[StoragePool] = (),
        timing: Timing | None = None,
        started_at: datetime = BEGINNING,
        pace: float | None = None,
    ) -> None:
        super().__init__(storage=storage, timing=timing, started_at=started_at, pace=pace)
        self._vantage = Vantage(self)

    @classmethod
    def from_hosts(
        cls,
        hosts: Sequence[Host],
        *,
        storage: Iterable[StoragePool] = (),
        timing: Timing | None = None,
        started_at: datetime = BEGINNING,
        pace: float | None = None,
    ) -> SimulatedWorld:
        world = cls(storage=storage, timing=timing, started_at=started_at, pace=pace)
        for host in hosts:
            world.machine(host)
        return world

    # As a World

    @property
    def clock(self) -> Clock:
        return self._vantage.clock

    def notifiers(self) -> Sequence[Notifier]:
        return self._vantage.notifiers()

    def driver(self, host: Host) -> HostDriver:
        return self._vantage.driver(host)

    def channels(self) -> Sequence[LivenessChannel]:
        return self._vantage.channels()

    def fencers(self, host: Host) -> Sequence[Fencer]:
        return self._vantage.fencers(host)

    def objects(self, place: str) -> ObjectStore:
        return self._vantage.objects(place)

    def disk_exports(self) -> DiskExports:
        return self._vantage.disk_exports()

    def container_volumes(self, region: RegionId) -> ContainerVolumes:
        return self._vantage.container_volumes(region)

    def switch_on(self, host: Host) -> None:
        self._vantage.switch_on(host)

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> Sequence[T | BaseException]:
        return self._vantage.run_all(tasks)

    def submit(self, task: Callable[[], T], lane: Lane = Lane.SLOW) -> Begun[T]:
        return self._vantage.submit(task, lane)

    def seen_by_another_process(self) -> Vantage:
        """The same World for a process that has observed nothing yet."""
        return Vantage(self)

    @property
    def gate(self) -> Gate:
        """Pauses and kills the process for which this object is the World."""
        return self._vantage.gate

    # What is true of it

    @property
    def violations(self) -> list[Violation]:
        """What must never happen and did. Empty, or the run has failed."""
        return self.around.monitor.violations

    @property
    def double_started(self) -> int:
        """How many servers two hosts had open for writing at one instant."""
        return len(self.around.monitor.double_started)

    def hosts_running(self, server: ServerId) -> tuple[HostId, ...]:
        """Where it truly runs now, whatever anybody can see of it."""
        return tuple(
            sorted(
                host
                for host, machine in self.machines.items()
                if (guest := machine.guests.get(server)) is not None
                and guest.state is RunState.RUNNING
            )
        )

    def answering(self, server: ServerId) -> bool:
        """Whether its guest has booted and can do its work, as its users would see it."""
        return any(machine.guest_answers(server) for machine in self.machines.values())

    def records(self, server: ServerId) -> int:
        """How many records are safely on its disk; 0 where it has none."""
        self._count_records(server)
        volume = self.volume(server)
        return 0 if volume is None else volume.records + len(volume.notes)

    def records_intact(self, server: ServerId) -> bool:
        """Everything it ever flushed is on its disk, and only one host at a time has written it."""
        self._count_records(server)
        volume = self.volume(server)
        acknowledged = self.around.monitor.acknowledged(server)
        if volume is None:
            return acknowledged == 0
        return not volume.spoiled and volume.records >= acknowledged

    def write_note(self, server: ServerId, text: str) -> None:
        """Store a record through the running server. Raises DriverError when it does not answer."""
        volume = self.volume(server)
        if volume is None or not self.answering(server):
            raise DriverError(f"{server} does not answer.")
        volume.notes.append(text)

    def write_bytes(
        self, server: ServerId, offset: int, data: bytes, *, volume: VolumeId | None = None
    ) -> None:
        """Have the running server write in the last quarter of its root disk, or of one of its volumes.
        Raises DriverError when it does not answer."""
        disk = self.volume(server) if volume is None else self.data_volume(volume)
        if disk is None or not self.answering(server):
            raise DriverError(f"{server} does not answer.")
        written(disk.blocks, disk.size * 2**30, offset, data)

    def notes(self, server: ServerId) -> tuple[str, ...]:
        volume = self.volume(server)
        return () if volume is None else tuple(volume.notes)

    def _count_records(self, server: ServerId) -> None:
        for machine in self.machines.values():
            machine.count_records(server)

    # Time

    def at(self, when: Seconds, do: Callable[[], None]) -> None:
        """Let `do`, such as a fault, happen at a virtual instant."""
        self.virtual_clock.at(when, do)

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """`listener` is told of everything that truly happens."""
        self.around.listeners.append(listener)

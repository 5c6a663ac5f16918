"""The simulated World: hosts, storage and time that behave like real ones, and faults on demand.

It is itself a World for one control-plane process; `seen_by_another_process` gives further ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from control_plane.drivers.protocol import DriverError, HostDriver, RunState
from control_plane.drivers.simulated.clock import Begun, VirtualClock
from control_plane.drivers.simulated.faults import Faults
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.migration import Migrations
from control_plane.drivers.simulated.monitor import Violation
from control_plane.drivers.simulated.storage import SharedStorage, Volume
from control_plane.drivers.simulated.surroundings import Happening, Surroundings
from control_plane.drivers.simulated.timing import Timing
from control_plane.drivers.simulated.trouble import Trouble
from control_plane.drivers.simulated.vantage import Gate, Vantage
from control_plane.drivers.world import Clock, Fencer, Lane, LivenessChannel, Notifier
from control_plane.model.ids import HostId, ServerId
from control_plane.model.operation import Event
from control_plane.model.pool import Endpoint, Host, StoragePool
from control_plane.model.units import GiB, Seconds

T = TypeVar("T")

_BEGINNING = datetime(2026, 4, 1, tzinfo=UTC)
_PLENTY = GiB(1 << 40)


class SimulatedWorld(Faults):
    """Hosts that were never heard of before exist from the moment somebody speaks to them, switched
    on and empty; their storage pools have endless room unless `storage` says otherwise.

    `pace` None lets time jump to whatever is due; a number is virtual seconds per real second.
    """

    def __init__(
        self,
        *,
        storage: Iterable[StoragePool] = (),
        timing: Timing | None = None,
        started_at: datetime = _BEGINNING,
        pace: float | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self.virtual_clock = VirtualClock(started_at, pace=pace)
        self.around = Surroundings(self.virtual_clock, self.timing)
        self.machines: dict[HostId, Machine] = {}
        self.trouble = Trouble()
        self.migrations = Migrations(self.around)
        self.deaf_guests: set[ServerId] = set()
        self.image_files: dict[str, str] = {}
        """What an image file truly contains: location to sha256, where it isn't the catalogue's."""
        self.told: list[Event] = []
        """Every event that people were notified of."""
        for pool in storage:
            self.add_storage(pool)
        self._vantage = Vantage(self)

    @classmethod
    def from_hosts(
        cls,
        hosts: Sequence[Host],
        *,
        storage: Iterable[StoragePool] = (),
        timing: Timing | None = None,
        started_at: datetime = _BEGINNING,
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

    # What is in it

    def machine(self, host: Host) -> Machine:
        machine = self.machines.get(host.id)
        if machine is None:
            for pool in host.storage:
                if pool not in self.around.pools:
                    self.around.pools[pool] = SharedStorage(pool, _PLENTY)
            machine = Machine(host, self.around)
            machine.on_death = lambda: self.migrations.interrupt(host.id)
            self.machines[host.id] = machine
        elif machine.host is not host:
            machine.host = host
        return machine

    def machine_at(self, endpoint: Endpoint) -> Machine:
        """The host behind an endpoint. Raises DriverError when there is none, or several."""
        found = [m for m in self.machines.values() if m.host.endpoint == endpoint]
        if len(found) != 1:
            raise DriverError(f"No host is reached at '{endpoint.uri}', or more than one is.")
        return found[0]

    def add_storage(self, pool: StoragePool) -> None:
        self.around.pools[pool.id] = SharedStorage(pool.id, pool.capacity)

    def volume(self, server: ServerId) -> Volume | None:
        for pool in self.around.pools.values():
            if server in pool.volumes:
                return pool.volumes[server]
        return None

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

"""What the simulated World consists of, for everything that looks at it or breaks it: machines,
storage, time, and whom people were told of what.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from control_plane.drivers.protocol import DriverError
from control_plane.drivers.simulated.clock import VirtualClock
from control_plane.drivers.simulated.container_volumes import SimulatedPlatform
from control_plane.drivers.simulated.faults import Faults
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.migration import Migrations
from control_plane.drivers.simulated.objects import Bucket
from control_plane.drivers.simulated.programs import Program, Website
from control_plane.drivers.simulated.storage import DataVolume, SharedStorage, Volume
from control_plane.drivers.simulated.surroundings import Surroundings
from control_plane.drivers.simulated.timing import Timing
from control_plane.drivers.simulated.trouble import Trouble
from control_plane.model.ids import HostId, RegionId, ServerId, VolumeId
from control_plane.model.operation import Event
from control_plane.model.pool import Endpoint, Host, StoragePool
from control_plane.model.units import GiB

BEGINNING = datetime(2026, 4, 1, tzinfo=UTC)
_PLENTY = GiB(1 << 40)


class Premises(Faults):
    """Hosts that were never heard of before exist from the moment somebody speaks to them, switched
    on and empty; their storage pools have endless room unless `storage` says otherwise.

    `pace` None lets time jump to whatever is due; a number is virtual seconds per real second.
    """

    def __init__(
        self,
        *,
        storage: Iterable[StoragePool] = (),
        timing: Timing | None = None,
        started_at: datetime = BEGINNING,
        pace: float | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self.virtual_clock = VirtualClock(started_at, pace=pace)
        self.around = Surroundings(self.virtual_clock, self.timing)
        self.machines: dict[HostId, Machine] = {}
        self.trouble = Trouble()
        self.migrations = Migrations(self.around)
        self.deaf_guests: set[ServerId] = set()
        self.clinging_guests: set[ServerId] = set()
        self.programs: dict[tuple[ServerId, str], Program] = {}
        """Hooks in guests, by their names."""
        self.website = Website()
        """What every guest serves."""
        self.image_files: dict[str, str] = {}
        """What an image file truly contains: location to sha256, where it isn't the catalogue's."""
        self.told: list[Event] = []
        """Every event that people were notified of."""
        self.platforms: dict[RegionId, SimulatedPlatform] = {}
        """Regions that run containers."""
        self._buckets: dict[str, Bucket] = {}
        for pool in storage:
            self.add_storage(pool)

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

    def bucket(self, place: str) -> Bucket:
        """The object store at a place, which is there, empty, from the moment somebody speaks of it."""
        return self._buckets.setdefault(place, Bucket(place, self.virtual_clock, self.around.tell))

    def add_storage(self, pool: StoragePool) -> None:
        monitor = self.around.monitor
        self.around.pools[pool.id] = SharedStorage(
            pool.id,
            pool.capacity,
            replaced=lambda volume: monitor.replaced(volume.server, volume.records),
        )

    def volume(self, server: ServerId) -> Volume | None:
        for pool in self.around.pools.values():
            if server in pool.volumes:
                return pool.volumes[server]
        return None

    def data_volume(self, volume: VolumeId) -> DataVolume | None:
        for pool in self.around.pools.values():
            if volume in pool.data:
                return pool.data[volume]
        return None

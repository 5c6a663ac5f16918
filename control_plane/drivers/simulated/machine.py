"""One simulated host: power, links, management controller, lease, and the guests it runs.

Everything here happens to hardware; nothing knows that a control plane exists. Guests write records
without an event each: what they have written is worked out from the time whenever somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from control_plane.drivers.disks import DataVolumeSpec
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    RunState,
    ServerSpec,
    StorageUnavailable,
)
from control_plane.drivers.simulated.clock import Timer
from control_plane.drivers.simulated.leaning import bring, may_go_on
from control_plane.drivers.simulated.storage import DataVolume, SharedStorage, Volume
from control_plane.drivers.simulated.tracking import Backups
from control_plane.model.ids import Generation, ImageId, ServerId, StoragePoolId, VolumeId
from control_plane.model.pool import Host
from control_plane.model.units import NOTHING, Resources, Seconds

if TYPE_CHECKING:
    from control_plane.drivers.simulated.surroundings import Surroundings


class Running(StrEnum):
    OFF = "off"
    BOOTING = "booting"
    ON = "on"
    FROZEN = "frozen"
    """Nothing on it runs, and it may thaw and go on writing as if nothing had been."""


class Bmc(StrEnum):
    """How the management controller behaves."""

    WORKS = "works"
    DEAD = "dead"
    HANGS = "hangs"
    IGNORES_ORDERS = "ignores-orders"
    """Accepts a power-off, does nothing, and reads back as on."""
    LIES = "lies"
    """Accepts a power-off, does nothing, and reads back as off."""
    ABSENT = "absent"


@dataclass(slots=True, eq=False)
class Guest:
    """`boots_at`: when it begins to answer and to write. `booted`: the generation with which it was
    started. `unflushed` records are lost when the power goes."""

    volume: Volume
    state: RunState
    started_at: Seconds
    boots_at: Seconds
    booted: Generation
    writing_since: Seconds | None = None
    counted: int = 0
    """Of what was written since then, how many durable records its volume counts already."""
    unflushed: int = 0
    disks: dict[VolumeId, DataVolume] = field(default_factory=dict)


@dataclass(slots=True)
class Lease:
    """The host's heartbeat on shared storage: a counter that grows while the host renews it."""

    renewals: int = 0
    renewing_since: Seconds | None = None
    last_renewal: Seconds = Seconds(0)
    boots: int = 0
    """How many boots of the host have renewed it."""
    armed: bool = False
    """Renewed since the host booted: from then on the watchdog counts."""


@dataclass(slots=True, eq=False)
class Machine:
    host: Host
    around: Surroundings
    on_death: Callable[[], None] = lambda: None
    """Called when everything on it has died."""
    running: Running = Running.ON
    powered: bool = True
    """Current at the socket: without it neither the machine nor its BMC does anything."""
    network: bool = True
    storage_link: bool = True
    bmc: Bmc = Bmc.WORKS
    has_watchdog: bool = True
    has_agent: bool = True  # Something on it renews its lease.
    watchdog_works: bool = True
    cache_full: bool = False
    boot_time: Seconds | None = None
    slow_guests: Seconds | None = None
    lease: Lease = field(default_factory=Lease)
    images: set[tuple[ImageId, str]] = field(default_factory=set)
    definitions: dict[ServerId, ServerSpec] = field(default_factory=dict)
    guests: dict[ServerId, Guest] = field(default_factory=dict)
    foreign: dict[str, Resources] = field(default_factory=dict)
    arriving: dict[ServerId, Resources] = field(default_factory=dict)
    """Room held by incoming migrations."""
    deaths: int = 0
    """How often everything that ran here has died."""
    backups: Backups = field(default_factory=Backups)
    _load: Resources = NOTHING
    _reset: Timer | None = None
    _boot: Timer | None = None

    def __post_init__(self) -> None:
        self.review_lease()

    def __str__(self) -> str:
        return self.host.id

    @property
    def answers(self) -> bool:
        return self.running is Running.ON and self.network

    def reaches(self, pool: SharedStorage | None) -> bool:
        return pool is not None and pool.available and self.storage_link

    def reached(self, pool: StoragePoolId) -> SharedStorage:
        """Raises StorageUnavailable."""
        found = self.around.pools.get(pool)
        if found is None or pool not in self.host.storage or not self.reaches(found):
            raise StorageUnavailable(f"{self} cannot reach storage pool {pool}.")
        return found

    def room(self) -> Resources:
        held = (*self.foreign.values(), *self.arriving.values())
        return self.host.capacity - sum(held, start=self._load)

    # Power

    def power_off(self, why: str) -> None:
        """Everything on it stops at once and its disk locks go; nothing unflushed is left."""
        if self._boot is not None:
            self._boot.cancel()
            self._boot = None
        was = self.running
        self.running = Running.OFF
        self.deaths += 1
        if was is not Running.OFF:
            self.around.tell(self.host.id, why)
        for server in list(self.guests):
            self.stop_guest(server, flushed=False)
        self.review_lease()
        self.on_death()

    def power_on(self) -> None:
        if self.running is not Running.OFF or not self.powered:
            return
        self.running = Running.BOOTING
        timing = self.around.timing
        wait = timing.host_boot if self.boot_time is None else self.boot_time
        self._boot = self.around.clock.after(wait, self._booted)

    def reset(self, why: str) -> None:
        self.power_off(why)
        self.power_on()

    def freeze(self) -> None:
        if self.running is Running.ON:
            self.settle_guests()
            self.running = Running.FROZEN
            self.review_lease()
            self.resume_guests()

    def thaw(self) -> None:
        if self.running is Running.FROZEN:
            self.running = Running.ON
            self.review_lease()
            self.resume_guests()

    def _booted(self) -> None:
        self._boot = None
        self.running = Running.ON
        self.around.tell(self.host.id, f"{self} has booted")
        self.review_lease()

    # The lease and the watchdog that it feeds

    def lease_pool(self) -> SharedStorage | None:
        pool = min(self.host.storage, default=None)
        return None if pool is None else self.around.pools.get(pool)

    def _reaches_lease(self) -> bool:
        pool = self.lease_pool()
        return self.storage_link and (pool is None or pool.available)

    def lease_counter(self) -> int:
        lease = self.lease
        if lease.renewing_since is None:
            return lease.renewals
        elapsed = self.around.clock.monotonic() - lease.renewing_since
        return lease.renewals + int(elapsed / self.around.timing.lease_renewal)

    def review_lease(self) -> None:
        """Something changed that decides whether the lease can be renewed."""
        can_renew = self.running is Running.ON and self.has_agent and self._reaches_lease()
        lease, clock, timing = self.lease, self.around.clock, self.around.timing
        if can_renew and lease.renewing_since is None:
            lease.renewing_since = clock.monotonic()
            lease.renewals += 1
            if not lease.armed:
                lease.boots += 1
                lease.armed = True
        elif not can_renew and lease.renewing_since is not None:
            elapsed = clock.monotonic() - lease.renewing_since
            periods = int(elapsed / timing.lease_renewal)
            lease.last_renewal = Seconds(lease.renewing_since + periods * timing.lease_renewal)
            lease.renewals += periods
            lease.renewing_since = None
        if self.running is Running.OFF:
            lease.armed = False
        if self._reset is not None and (can_renew or self.running is Running.OFF):
            self._reset.cancel()
            self._reset = None
        stuck = lease.armed and not can_renew and self.has_watchdog
        if stuck and self._reset is None:
            until = Seconds(lease.last_renewal + timing.lease_ttl + timing.watchdog)
            self._reset = clock.at(max(until, clock.monotonic()), self._watchdog_fires)

    def _watchdog_fires(self) -> None:
        self._reset = None
        if self.watchdog_works:
            self.reset(f"the watchdog of {self} resets it: its lease could not be renewed")

    # Guests

    def start_guest(self, server: ServerId) -> None:
        """Raises DiskLocked, StorageUnavailable, DriverError."""
        spec = self.definitions[server]
        volume = self._volume(spec)
        self.check_room(spec)
        if volume.holder not in (None, self.host.id) and self.around.disk_locks:
            raise DiskLocked(f"The disk of {server} is locked by {volume.holder}.")
        disks = {each.id: self.data_volume(server, each) for each in spec.data_volumes}
        bring(self.around, volume, *disks.values())
        now = self.around.clock.monotonic()
        boot = self.around.timing.guest_boot if self.slow_guests is None else self.slow_guests
        started = Guest(
            volume, RunState.RUNNING, now, Seconds(now + boot), spec.generation, disks=disks
        )
        self.run_guest(server, started)

    def run_guest(self, server: ServerId, guest: Guest) -> None:
        """`guest`, booted here or arrived here, has its disk open from now on."""
        volume = guest.volume
        volume.lock = self.host.id
        self.guests[server] = guest
        self._load = self._load + self.definitions[server].size
        now = self.around.clock.monotonic()
        if not self.around.monitor.opened(now, server, self.host.id, volume.records):
            volume.spoiled = True
        for disk in guest.disks.values():
            self.open_disk(server, disk)
        self._resume(guest)

    def stop_guest(self, server: ServerId, *, flushed: bool) -> Guest | None:
        """The guest runs no more and its disk is closed; `flushed` says whether it got to write
        everything first. None when it did not run."""
        guest = self.guests.get(server)
        if guest is None:
            return None
        self._settle(server, guest)
        if flushed:
            guest.volume.records += guest.unflushed
            self._tell_records(server, guest)
        guest.volume.crashes += not flushed
        guest.unflushed = 0
        del self.guests[server]
        self._load = self._load - self.definitions[server].size
        if guest.volume.lock == self.host.id:
            guest.volume.lock = None
        self.around.monitor.closed(server, self.host.id)
        for disk in guest.disks.values():
            self.close_disk(server, disk)
        return guest

    def open_disk(self, server: ServerId, disk: DataVolume) -> None:
        disk.lock, disk.opened_by = self.host.id, server
        at = self.around.clock.monotonic()
        self.around.monitor.opened_volume(at, disk.id, server, self.host.id)

    def close_disk(self, server: ServerId, disk: DataVolume) -> None:
        if (disk.lock, disk.opened_by) == (self.host.id, server):
            disk.lock = disk.opened_by = None
        self.around.monitor.closed_volume(disk.id, server, self.host.id)

    def pause_guest(self, server: ServerId) -> None:
        """As a hypervisor does with a guest whose write found no room."""
        guest = self.guests[server]
        self._settle(server, guest)
        guest.state = RunState.SUSPENDED

    def unpause(self, server: ServerId) -> None:
        """It goes on, unless what paused it still holds."""
        guest = self.guests[server]
        if may_go_on(self.around, guest):
            guest.state = RunState.RUNNING
            self._resume(guest)

    def resized(self, server: ServerId, spec: ServerSpec) -> None:
        if server in self.guests:
            self._load = self._load - self.definitions[server].size + spec.size
        self.definitions[server] = spec

    def guest_answers(self, server: ServerId) -> bool:
        guest = self.guests.get(server)
        return (
            guest is not None
            and self.can_write(guest)
            and self.around.clock.monotonic() >= guest.boots_at
        )

    def check_room(self, spec: ServerSpec) -> None:
        lack = spec.size.memory - self.room().memory
        if lack > 0:
            raise DriverError(f"{self} lacks {lack} MiB of memory for {spec.id}.")

    def settle_guests(self) -> None:
        """Work out what every guest has written up to now."""
        for server, guest in self.guests.items():
            self._settle(server, guest)

    def count_records(self, server: ServerId) -> None:
        guest = self.guests.get(server)
        if guest is not None:
            self._count(server, guest)

    def resume_guests(self) -> None:
        """Let those write that can; others wait until a later call."""
        for guest in self.guests.values():
            self._resume(guest)

    def _volume(self, spec: ServerSpec) -> Volume:
        volume = self.reached(spec.volume.pool).root(spec.id, spec.volume.build)
        if volume is None:
            raise DriverError(f"{spec.id} has no disk on storage pool {spec.volume.pool}.")
        return volume

    def data_volume(self, server: ServerId, wanted: DataVolumeSpec) -> DataVolume:
        """For `server` to open here. Raises DiskLocked, StorageUnavailable."""
        found = self.reached(wanted.pool).data_of(wanted.id, wanted.build)
        if found is None or found.build != wanted.build:
            raise StorageUnavailable(f"{self} finds no volume {wanted.id} on pool {wanted.pool}.")
        ours = found.opened_by == server and found.lock == self.host.id
        if found.holder is not None and not ours and self.around.disk_locks:
            raise DiskLocked(f"The volume {wanted.id} is locked by {found.holder}.")
        return found

    def can_write(self, guest: Guest) -> bool:
        """It runs and reaches its disk."""
        return (
            self.running is Running.ON
            and self.storage_link
            and guest.state is RunState.RUNNING
            and self.around.pool_of(guest.volume).available
        )

    def _resume(self, guest: Guest) -> None:
        if guest.writing_since is None and self.can_write(guest):
            guest.writing_since = max(self.around.clock.monotonic(), guest.boots_at)

    def _count(self, server: ServerId, guest: Guest) -> int:
        """Let the volume count every record that is durable by now; how many were written on top
        of those and not flushed."""
        since = guest.writing_since
        if since is None:
            return 0
        elapsed = max(0.0, self.around.clock.monotonic() - since)
        timing = self.around.timing
        written = int(elapsed / timing.record_interval)
        flushed_at = int(elapsed / timing.flush_interval) * timing.flush_interval
        durable = int(flushed_at / timing.record_interval)
        if durable > guest.counted:
            guest.volume.records += durable - guest.counted + guest.unflushed
            guest.unflushed = 0
            guest.counted = durable
            self._tell_records(server, guest)
        return written - durable

    def _settle(self, server: ServerId, guest: Guest) -> None:
        """The guest stops writing, for a while or for good."""
        guest.unflushed += self._count(server, guest)
        guest.writing_since = None
        guest.counted = 0

    def _tell_records(self, server: ServerId, guest: Guest) -> None:
        now = self.around.clock.monotonic()
        self.around.monitor.recorded(now, server, guest.volume.records)

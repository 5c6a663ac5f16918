"""What can go wrong in the simulated World, in the words of people who run data centres."""

from __future__ import annotations

from datetime import timedelta

from control_plane.drivers.protocol import DriverError
from control_plane.drivers.simulated.machine import Bmc, Machine, Running
from control_plane.drivers.simulated.migration import Migrations
from control_plane.drivers.simulated.storage import SharedStorage
from control_plane.drivers.simulated.surroundings import Surroundings
from control_plane.drivers.simulated.trouble import Trouble
from control_plane.model.ids import HostId, ImageId, ServerId, SiteId, StoragePoolId
from control_plane.model.units import NOTHING, Resources, Seconds


class Faults:
    """Faults take effect at once; `at` of the World's clock arranges them for later."""

    around: Surroundings
    machines: dict[HostId, Machine]
    trouble: Trouble
    migrations: Migrations
    deaf_guests: set[ServerId]
    clinging_guests: set[ServerId]

    # A host's power

    def crash(self, host: HostId) -> None:
        """The machine goes off by itself; its BMC has current and answers."""
        self._off(host, f"{host} crashes and is off")

    def cut_power(self, host: HostId) -> None:
        """The socket is dead: machine and BMC are off."""
        self.machines[host].powered = False
        self._off(host, f"power of {host} is cut")

    def restore_power(self, host: HostId) -> None:
        """Current is back, and the machine boots by itself."""
        machine = self.machines[host]
        machine.powered = True
        self.around.tell(host, f"power of {host} is back")
        machine.power_on()

    def power_on(self, host: HostId) -> None:
        """Somebody presses the button."""
        self.around.tell(host, f"{host} is switched on")
        self.machines[host].power_on()

    def freeze(self, host: HostId) -> None:
        """It stops doing anything while its power is on: locks stay, and it may thaw."""
        self.machines[host].freeze()
        self.around.tell(host, f"{host} freezes")
        self.migrations.interrupt(host)

    def thaw(self, host: HostId) -> None:
        self.around.tell(host, f"{host} thaws")
        self.machines[host].thaw()

    def boots_in(self, host: HostId, seconds: Seconds) -> None:
        self.machines[host].boot_time = seconds

    def cut_site_power(self, site: SiteId) -> None:
        """Every host, BMC and storage pool of the site."""
        for machine in self._of(site):
            for pool in machine.host.storage:
                self.lose_storage(pool)
        for machine in self._of(site):
            self.cut_power(machine.host.id)

    def restore_site_power(self, site: SiteId) -> None:
        for machine in self._of(site):
            for pool in machine.host.storage:
                self.return_storage(pool)
        for machine in self._of(site):
            self.restore_power(machine.host.id)

    # Links

    def cut_network(self, host: HostId) -> None:
        """Its management link, and migration with it; storage, BMC and guests go on."""
        self.machines[host].network = False
        self.around.tell(host, f"management network of {host} is cut")
        self.migrations.interrupt(host)

    def restore_network(self, host: HostId) -> None:
        self.machines[host].network = True
        self.around.tell(host, f"management network of {host} is back")

    def flap(self, host: HostId, *, times: int, down: Seconds, up: Seconds) -> None:
        """Its management link goes and comes: `down` off, `up` on, `times` times from now."""
        clock = self.around.clock
        for turn in range(times):
            begin = Seconds(turn * (down + up))
            clock.after(begin, lambda: self.cut_network(host))
            clock.after(Seconds(begin + down), lambda: self.restore_network(host))

    def cut_storage(self, host: HostId) -> None:
        """Its link to shared storage: guests can't write, the lease can't be renewed."""
        self._storage_link(host, up=False)
        self.around.tell(host, f"storage link of {host} is cut")

    def restore_storage(self, host: HostId) -> None:
        self._storage_link(host, up=True)
        self.around.tell(host, f"storage link of {host} is back")

    # Shared storage

    def lose_storage(self, pool: StoragePoolId) -> None:
        """The storage itself answers nobody, the control plane included."""
        self._storage_available(pool, available=False)

    def return_storage(self, pool: StoragePoolId) -> None:
        self._storage_available(pool, available=True)

    def fill_storage(self, pool: StoragePoolId) -> None:
        """Nothing more fits, and a guest that writes there is paused by its hypervisor."""
        self.around.pools[pool].full = True
        self.around.tell(pool, f"storage pool {pool} is full")
        for machine in self.machines.values():
            for server, guest in machine.guests.items():
                if guest.volume.pool == pool:
                    machine.pause_guest(server)

    def empty_storage(self, pool: StoragePoolId) -> None:
        """There is room again; paused guests wait for somebody to let them go on."""
        self.around.pools[pool].full = False
        self.around.tell(pool, f"storage pool {pool} has room again")

    def ignore_disk_locks(self) -> None:
        """The hypervisors' locks stop holding: the barrier behind every other is gone."""
        self.around.disk_locks = False

    # Management controllers, watchdogs

    def kill_bmc(self, host: HostId) -> None:
        self._bmc(host, Bmc.DEAD, "is dead")

    def hang_bmc(self, host: HostId) -> None:
        self._bmc(host, Bmc.HANGS, "hangs")

    def make_bmc_ignore_orders(self, host: HostId) -> None:
        """It accepts a power-off, does nothing, and reads back as on."""
        self._bmc(host, Bmc.IGNORES_ORDERS, "ignores orders")

    def make_bmc_lie(self, host: HostId) -> None:
        """It accepts a power-off, does nothing, and reads back as off."""
        self._bmc(host, Bmc.LIES, "lies")

    def repair_bmc(self, host: HostId) -> None:
        self._bmc(host, Bmc.WORKS, "works")

    def remove_bmc(self, host: HostId) -> None:
        self._bmc(host, Bmc.ABSENT, "is absent")

    def break_watchdog(self, host: HostId) -> None:
        """It will not reset its host, and nobody knows."""
        self.machines[host].watchdog_works = False
        self.around.tell(host, f"the watchdog of {host} is broken")

    def remove_watchdog(self, host: HostId) -> None:
        """The host has a heartbeat only, and its lease says so: it proves nothing."""
        self.machines[host].has_watchdog = False
        self.machines[host].review_lease()

    def stop_heartbeat(self, host: HostId) -> None:
        """Nothing on the host renews its lease any more; all else works."""
        self._agent(host, runs=False)

    def resume_heartbeat(self, host: HostId) -> None:
        self._agent(host, runs=True)

    # Driver calls

    def fail_calls(
        self,
        call: str,
        *,
        host: HostId | None = None,
        server: ServerId | None = None,
        times: int = 1,
        error: DriverError | None = None,
    ) -> None:
        """The next `times` such calls fail without any effect."""
        failure = error or DriverError(f"The hypervisor failed to {call.replace('_', ' ')}.")
        self.trouble.fail(call, host, server, times, failure)

    def lose_answers(
        self,
        call: str,
        *,
        host: HostId | None = None,
        server: ServerId | None = None,
        times: int = 1,
    ) -> None:
        """The next `times` such calls take effect, and HostUnreachable is all that comes back."""
        self.trouble.fail(call, host, server, times, None)

    def delay_answers(
        self,
        call: str,
        late: Seconds,
        *,
        host: HostId | None = None,
        server: ServerId | None = None,
        times: int = 1,
    ) -> None:
        """The next `times` such calls take effect, and come back so much later."""
        self.trouble.fail(call, host, server, times, None, late=late)

    def slow_starts(self, host: HostId, boot: Seconds) -> None:
        """Guests started on the host from now on take `boot` until they answer."""
        self.machines[host].slow_guests = boot

    def corrupt_image(self, image: ImageId, *, times: int = 1) -> None:
        """The next `times` copies of the image arrive with other bytes than the catalogue's."""
        self.around.corrupt_arrivals[image] = times

    def forget_images(self, host: HostId) -> None:
        """Its image cache is emptied."""
        self.machines[host].images.clear()

    def fill_image_cache(self, host: HostId) -> None:
        self.machines[host].cache_full = True

    def empty_image_cache(self, host: HostId) -> None:
        """There is room for images again."""
        self.machines[host].cache_full = False

    # Backups

    def cut_reader(self, server: ServerId) -> None:
        """What serves the server's disks to be read breaks off; its guest notices nothing."""
        for machine in self.machines.values():
            reading = machine.backups.readings.get(server)
            if reading is not None:
                reading.end("its hypervisor no longer serves them")

    def lose_tracking(self, server: ServerId) -> None:
        """The hypervisor says that what it kept of the disks' changes is worth nothing."""
        for machine in self.machines.values():
            for checkpoint in machine.backups.checkpoints.get(server, {}).values():
                checkpoint.lost = True

    # Guests, and what people do by hand

    def crash_guest(self, server: ServerId) -> None:
        """It stops by itself, with whatever it had not flushed."""
        for machine in self.machines.values():
            if machine.stop_guest(server, flushed=False) is not None:
                self.around.tell(server, f"{server} stops by itself on {machine}")

    def make_guest_deaf(self, server: ServerId) -> None:
        """It does not react to being asked to shut down."""
        self.deaf_guests.add(server)

    def make_guest_hold_its_volumes(self, server: ServerId) -> None:
        """It does not react to being asked to let a volume go."""
        self.clinging_guests.add(server)

    def let_guest_release_volumes(self, server: ServerId) -> None:
        self.clinging_guests.discard(server)

    def destroy_by_hand(self, server: ServerId) -> None:
        for machine in self.machines.values():
            if machine.stop_guest(server, flushed=False) is not None:
                self.around.tell(server, f"somebody destroys {server} on {machine}")

    def undefine_by_hand(self, host: HostId, server: ServerId) -> None:
        machine = self.machines[host]
        machine.stop_guest(server, flushed=False)
        if machine.definitions.pop(server, None) is not None:
            self.around.tell(server, f"somebody undefines {server} on {machine}")

    def start_by_hand(self, host: HostId, server: ServerId) -> bool:
        """Somebody starts what is defined there; False when the hypervisor refuses, as it does what is
        active already."""
        machine = self.machines[host]
        if machine.running is not Running.ON or server not in machine.definitions:
            return False
        if server in machine.guests:
            return False
        try:
            machine.start_guest(server)
        except DriverError as error:
            self.around.tell(server, f"somebody fails to start {server} on {machine}: {error}")
            return False
        self.around.tell(server, f"somebody starts {server} on {machine}")
        return True

    def copy_definition_by_hand(self, source: HostId, target: HostId, server: ServerId) -> None:
        """Somebody defines on `target` what `source` has, as a stale copy."""
        spec = self.machines[source].definitions[server]
        self.machines[target].definitions[server] = spec
        self.around.tell(server, f"somebody defines {server} on {target} too")

    def add_foreign_machine(self, host: HostId, name: str, size: Resources = NOTHING) -> None:
        """A running machine that Yui did not define."""
        self.machines[host].foreign[name] = size
        self.around.tell(host, f"somebody starts machine {name} on {host}")

    def remove_foreign_machine(self, host: HostId, name: str) -> None:
        self.machines[host].foreign.pop(name, None)
        self.around.tell(host, f"somebody removes machine {name} from {host}")

    # Time

    def jump_wall_clock(self, seconds: Seconds) -> None:
        """Wall time alone; what measures durations does not notice."""
        self.around.clock.jump(timedelta(seconds=seconds))
        self.around.tell("clock", f"wall time jumps by {seconds:+.0f} s")

    def _of(self, site: SiteId) -> list[Machine]:
        return [m for m in self.machines.values() if m.host.site == site]

    def _off(self, host: HostId, why: str) -> None:
        self.machines[host].power_off(why)

    def _bmc(self, host: HostId, behaviour: Bmc, how: str) -> None:
        self.machines[host].bmc = behaviour
        self.around.tell(host, f"the BMC of {host} {how}")

    def _agent(self, host: HostId, *, runs: bool) -> None:
        machine = self.machines[host]
        machine.has_agent = runs
        machine.review_lease()
        self.around.tell(host, f"the heartbeat of {host} {'is back' if runs else 'stops'}")

    def _storage_link(self, host: HostId, *, up: bool) -> None:
        machine = self.machines[host]
        machine.settle_guests()
        machine.storage_link = up
        machine.resume_guests()
        machine.review_lease()

    def _storage_available(self, pool: StoragePoolId, *, available: bool) -> None:
        found: SharedStorage = self.around.pools[pool]
        if found.available == available:
            return
        reaching = [m for m in self.machines.values() if pool in m.host.storage]
        for machine in reaching:
            machine.settle_guests()
        found.available = available
        self.around.tell(pool, f"storage pool {pool} is {'back' if available else 'gone'}")
        for machine in reaching:
            machine.resume_guests()
            machine.review_lease()

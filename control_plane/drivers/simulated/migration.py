"""Live migration between two simulated hosts, and every way in which it breaks off.

The guest's disk changes hands at one instant at the end; until then it is the source's alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from control_plane.drivers.protocol import (
    DriverError,
    HostUnreachable,
    NoSuchServer,
    StorageUnavailable,
)
from control_plane.drivers.simulated.leaning import require_whole
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.surroundings import Surroundings
from control_plane.model.ids import HostId, ServerId


@dataclass(slots=True, eq=False)
class _Migration:
    source: Machine
    target: Machine
    server: ServerId
    source_deaths: int
    target_deaths: int
    new_on_target: bool
    error: DriverError | None = None
    over: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class Migrations:
    """Those under way. They go on when the process that asked for them dies."""

    around: Surroundings
    _under_way: dict[ServerId, _Migration] = field(default_factory=dict)

    def migrate(self, source: Machine, server: ServerId, target: Machine) -> None:
        """See HostDriver.migrate. Asked again while it is under way, it waits for the same one."""
        migration = self._under_way.get(server)
        if migration is None:
            if server not in source.definitions and server in target.guests:
                return
            migration = self._begin(source, server, target)
        elif migration.target is not target or migration.source is not source:
            raise DriverError(f"{server} is on its way to {migration.target} already.")
        self.around.clock.wait_for(migration.waiting.append)
        if migration.error is not None:
            raise migration.error

    def moves(self, server: ServerId) -> bool:
        return server in self._under_way

    def interrupt(self, host: HostId) -> None:
        """The host died, froze or lost its link: migrations from and to it break off now."""
        for migration in list(self._under_way.values()):
            if host in (migration.source.host.id, migration.target.host.id):
                self._end(migration)

    def _begin(self, source: Machine, server: ServerId, target: Machine) -> _Migration:
        spec = source.definitions.get(server)
        if spec is None:
            raise NoSuchServer(f"{source} has no definition of {server}.")
        if server not in source.guests:
            raise DriverError(f"{server} does not run on {source}, so it cannot be migrated.")
        require_whole(source.guests[server], server)
        if source is target:
            raise DriverError(f"{server} already is on {target}.")
        if not target.answers:
            raise DriverError(f"{target} did not answer {source}, so {server} stays on {source}.")
        pool = self.around.pools.get(spec.volume.pool)
        if spec.volume.pool not in target.host.storage or not target.reaches(pool):
            raise StorageUnavailable(f"{target} cannot reach storage pool {spec.volume.pool}.")
        if server in target.guests:
            raise DriverError(f"{server} runs on {target} too.")
        target.check_room(spec)
        new_on_target = server not in target.definitions
        source.backups.forget(server)
        migration = _Migration(source, target, server, source.deaths, target.deaths, new_on_target)
        target.definitions[server] = spec
        target.arriving[server] = spec.size
        self._under_way[server] = migration
        self.around.tell(source.host.id, f"migrate {server} from {source} to {target}")
        self.around.clock.after(self.around.timing.migration, lambda: self._end(migration))
        return migration

    def _end(self, migration: _Migration) -> None:
        if migration.over:
            return
        migration.over = True
        source, target, server = migration.source, migration.target, migration.server
        del self._under_way[server]
        migration.error = self._broken_off(migration)
        target.arriving.pop(server, None)
        if migration.error is None:
            _hand_over(source, target, server)
            self.around.tell(target.host.id, f"{server} has migrated from {source} to {target}")
        else:
            if migration.new_on_target and server not in target.guests:
                target.definitions.pop(server, None)
            self.around.tell(source.host.id, f"migration of {server} to {target} broke off")
        for wake in migration.waiting:
            wake()

    def _broken_off(self, migration: _Migration) -> DriverError | None:
        source, target, server = migration.source, migration.target, migration.server
        if source.deaths != migration.source_deaths or not source.answers:
            return HostUnreachable(f"{source} stopped answering while {server} moved to {target}.")
        guest = source.guests.get(server)
        if guest is None:
            return DriverError(f"{server} stopped on {source} while it moved to {target}.")
        if target.deaths != migration.target_deaths or not target.answers:
            return DriverError(f"{target} stopped answering, so {server} stays on {source}.")
        if server not in target.arriving:
            return DriverError(f"{server} was destroyed on {target} while it arrived.")
        if not source.reaches(self.around.pool_of(guest.volume)):
            # It can't write out what it holds, so it can't let go of the disk.
            return StorageUnavailable(f"{source} lost its storage, so {server} stays there.")
        if not target.reaches(self.around.pool_of(guest.volume)):
            return StorageUnavailable(f"{target} lost its storage, so {server} stays on {source}.")
        return None


def _hand_over(source: Machine, target: Machine, server: ServerId) -> None:
    spec = source.definitions[server]
    guest = source.stop_guest(server, flushed=True)
    source.backups.forget(server)
    del source.definitions[server]
    target.definitions[server] = spec
    if guest is not None:
        target.run_guest(server, guest)

"""Fills disks from recovery points, on any host that reaches their storage.

Every attempt fills builds of its own beside what is there: until a disk is whole nothing of it is on record,
and two workers that each think they are the one never write one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from control_plane.drivers.backup_source import Extent
from control_plane.drivers.disks import DataVolumeSpec, VolumeSpec
from control_plane.drivers.protocol import DiskLocked, DriverError, HostDriver, StorageUnavailable
from control_plane.drivers.world import World
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, ServerId, StoragePoolId
from control_plane.model.pool import Host
from control_plane.model.volume import Volume
from control_plane.model.workload import Placed, Server
from control_plane.store import Snapshot, Store

_TRIES = 64
"""Builds that died with whoever filled them stay until another one is whole."""


@dataclass(frozen=True, slots=True)
class Target:
    """A disk with the build that is on record: the root disk of `server`, or a volume, which may be
    attached to it."""

    server: Server
    volume: Volume | None
    path: str
    """Of the storage pool, on every host that reaches it."""

    @property
    def build(self) -> int:
        return self.server.disk_build if self.volume is None else self.volume.build

    @property
    def leans_on(self) -> str | None:
        return self.server.leans_on if self.volume is None else self.volume.leans_on

    @property
    def size(self) -> int:
        """GiB"""
        return self.server.disk if self.volume is None else self.volume.size

    @property
    def storage(self) -> StoragePoolId:
        return self.server.storage if self.volume is None else self.volume.storage

    @property
    def owner(self) -> ServerId | None:
        return self.server.id if self.volume is None else None

    def spec(self, build: int) -> VolumeSpec | DataVolumeSpec:
        if self.volume is None:
            return VolumeSpec(self.server.storage, self.path, self.server.disk, build)
        return DataVolumeSpec(
            self.volume.id, self.volume.storage, self.path, self.volume.size, build=build
        )


def target(tx: Snapshot, server: Server, volume: Volume | None) -> Target:
    paths = {pool.id: pool.path for site in tx.sites() for pool in site.storage_pools}
    storage = server.storage if volume is None else volume.storage
    return Target(server, volume, paths[storage])


@dataclass(frozen=True, slots=True)
class Disks:
    store: Store
    world: World

    def fill(
        self, disk: Target, attempt: int, content: Callable[[], Iterator[tuple[int, bytes]]]
    ) -> int:
        """The build that it was filled as. Raises DriverError, and what `content` raises."""
        driver = self._driver(disk, attempt)
        first = disk.build + attempt
        for build in range(first, first + _TRIES):
            try:
                driver.fill_disk(disk.owner, disk.spec(build), content())
            except DiskLocked:
                # What an earlier attempt left, or is still at.
                if build == first + _TRIES - 1:
                    raise
            else:
                return build
        raise LookupError(disk)

    def lean(self, disk: Target, attempt: int, backing: str, zeros: Sequence[Extent]) -> int:
        """The build that takes what it lacks, all but the zeros, from the disk that is served there. Raises
        DriverError."""
        driver = self._driver(disk, attempt)
        first = disk.build + attempt
        for build in range(first, first + _TRIES):
            try:
                driver.lean_disk(disk.owner, replace(disk.spec(build), backing=backing), zeros)
            except DiskLocked:
                if build == first + _TRIES - 1:
                    raise
            else:
                return build
        raise LookupError(disk)

    def sweep(self, disk: Target, attempt: int, now: int) -> None:
        """Remove the build that was on record, and what attempts left, below the one that is on record now:
        only there can nobody be at work. What can't be removed just now stays until the disk goes."""
        with suppress(DriverError):
            driver = self._driver(disk, attempt)
            for build in range(disk.build, now):
                with suppress(DiskLocked):
                    driver.remove_build(disk.owner, disk.spec(build))

    def _driver(self, disk: Target, attempt: int) -> HostDriver:
        with self.store.read() as tx:
            hosts = tx.hosts()
        return self.world.driver(_reaching(hosts, disk, attempt))


def _reaching(hosts: tuple[Host, ...] | list[Host], disk: Target, attempt: int) -> Host:
    """The server's own first; each attempt asks another one, where there is any."""
    home: HostId | None = None
    if isinstance(disk.server.placement, Placed):
        home = disk.server.placement.host
    well = [h for h in hosts if isinstance(h.health, Up) and disk.storage in h.storage]
    if not well:
        raise StorageUnavailable(f"No host that is well reaches {disk.storage}.")
    well.sort(key=lambda host: (host.id != home, host.id))
    return well[(attempt - 1) % len(well)]

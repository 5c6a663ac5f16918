"""Which disks a leaving member has, and the errand that takes one of them out of the pool."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from control_plane.drivers.protocol import (
    DiskFile,
    DiskLocked,
    DriverError,
    HostUnreachable,
    NoSuchDisk,
    StorageUnavailable,
    VolumeSpec,
)
from control_plane.drivers.world import World
from control_plane.model.export import ExportedDisk
from control_plane.model.host_health import Up
from control_plane.model.ids import OperationId, ServerId, StoragePoolId
from control_plane.model.membership import Membership
from control_plane.model.pool import Host
from control_plane.model.workload import Moving, Placed, Server
from control_plane.store import Lease, Snapshot, Store, Transaction
from tenants.leaving.export_directory import Earlier, Export
from tenants.leaving.records import disk_path


def disks_of(
    tx: Transaction, membership: Membership, operation: OperationId
) -> tuple[int, tuple[ExportedDisk, ...]]:
    """Every disk that the member has, as far as it was exported, with how many of the notes had to be
    made right: disks that came or went, or were made anew since."""
    code = membership.tenant.code
    noted = {disk.path: disk for disk in tx.exported_disks(operation)}
    changes = 0
    for server in tx.servers(code):
        if server.deleting:
            continue
        path = disk_path(server)
        disk = noted.pop(path, None)
        fresh = ExportedDisk(operation, path, code, server.id, build=server.disk_build)
        if disk is None or disk.server != server.id or disk.build != server.disk_build:
            tx.put_exported_disk(fresh)
            changes += 1
    for gone in noted.values():
        tx.remove_exported_disk(gone)
        changes += 1
    return changes, tx.exported_disks(operation)


@dataclass(slots=True)
class DiskErrand:
    """Exports one disk from any host that reaches it. Every note of its progress is made under the lease,
    so that it ends as soon as another process has taken over."""

    store: Store
    world: World
    export: Export
    disk: ExportedDisk
    lease: Lease
    checkpoint: int
    _now: ExportedDisk = field(init=False)

    def __post_init__(self) -> None:
        self._now = self.disk

    def run(self) -> ExportedDisk:
        """Raises DriverError, PartInUse, Spoiled, OSError, LeaseLost."""
        with self.store.read() as tx:
            server, volume, host = self._where(tx)
        driver = self.world.driver(host)
        try:
            with self.export.begin_disk(
                self.disk.path,
                Earlier(self.disk.done, self.disk.length),
                self._progress,
                self.checkpoint,
            ) as part:
                driver.export_disk(server, volume, part)
                written = part.finish()
        except NoSuchDisk:
            return self._note(replace(self.disk, missing=True, trouble=None))
        except (HostUnreachable, StorageUnavailable) as error:
            # What is there stays good: the disk has not been seen to change.
            self._note(replace(self._now, trouble=str(error)))
            raise
        except (DiskLocked, DriverError) as error:
            self._note(replace(self.disk.anew(self.disk.build), trouble=str(error)))
            raise
        return self._note(
            replace(
                self._now,
                length=written.length,
                done=written.length,
                sha256=written.sha256,
                trouble=None,
            )
        )

    def _progress(self, file: DiskFile, done: int) -> None:
        if done == self._now.done and self._now.length == file.length:
            return
        self._note(
            replace(self._now, length=file.length, virtual_size=file.virtual_size, done=done)
        )

    def _note(self, disk: ExportedDisk) -> ExportedDisk:
        with self.store.write(self.lease) as tx:
            standing = {each.path: each for each in tx.exported_disks(disk.operation)}
            if standing.get(disk.path) == self._now:
                tx.put_exported_disk(disk)
            else:
                raise DriverError(f"{disk.path} is not wanted any more, or is to be exported anew")
        self._now = disk
        return disk

    def _where(self, tx: Snapshot) -> tuple[ServerId, VolumeSpec, Host]:
        """Raises StorageUnavailable where no host that is well reaches it."""
        assert self.disk.server is not None  # noqa: S101 — a root disk is some server's
        server = tx.server(self.disk.server)
        hosts = [
            host
            for host in tx.hosts()
            if isinstance(host.health, Up) and server.storage in host.storage
        ]
        if not hosts:
            raise StorageUnavailable(f"No host that is well reaches {server.storage}.")
        hosts.sort(key=lambda host: (host.id != _home(server), host.id))
        path = next(
            pool.path
            for site in tx.sites()
            for pool in site.storage_pools
            if pool.id == server.storage
        )
        volume = VolumeSpec(StoragePoolId(server.storage), path, server.disk, self.disk.build)
        return server.id, volume, hosts[0]


def _home(server: Server) -> object:
    match server.placement:
        case Placed(host=host) | Moving(source=host):
            return host
        case _:
            return None

"""Which disks a leaving member has, and the errand that takes one of them out of the pool."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from control_plane.drivers.disks import DataVolumeSpec, DiskFile, VolumeSpec
from control_plane.drivers.protocol import (
    DiskLocked,
    DisksBusy,
    DriverError,
    HostUnreachable,
    NoSuchDisk,
    StorageUnavailable,
)
from control_plane.drivers.world import World
from control_plane.journal.member_progress import is_off
from control_plane.model.export import ExportedDisk
from control_plane.model.host_health import Up
from control_plane.model.ids import OperationId, ServerId
from control_plane.model.membership import Membership
from control_plane.model.pool import Host
from control_plane.model.workload import Moving, Placed, Server
from control_plane.store import Lease, Snapshot, Store, Transaction
from tenants.leaving.export_directory import Earlier, Export
from tenants.leaving.records import root_path, volume_path


def wanted_disks(
    tx: Snapshot, membership: Membership, operation: OperationId
) -> dict[str, ExportedDisk]:
    """Every disk that the member has, by its path in the export, as nothing of it was exported yet."""
    code = membership.tenant.code
    servers = {server.id: server for server in tx.servers(code) if not server.deleting}
    disks = [
        ExportedDisk(operation, root_path(server), code, server.id, build=server.disk_build)
        for server in servers.values()
    ]
    for volume in tx.volumes(code):
        if volume.deleting:
            continue
        owner = None if volume.server is None else servers.get(volume.server)
        disks.append(
            ExportedDisk(
                operation,
                volume_path(volume, owner),
                code,
                None if owner is None else owner.id,
                volume.id,
                volume.build,
            )
        )
    return {disk.path: disk for disk in disks}


def as_noted(wanted: ExportedDisk, noted: ExportedDisk | None) -> bool:
    """Whether what was noted is of that very disk."""
    return noted is not None and (noted.server, noted.volume, noted.build) == (
        wanted.server,
        wanted.volume,
        wanted.build,
    )


def disks_of(
    tx: Transaction, membership: Membership, operation: OperationId
) -> tuple[int, tuple[ExportedDisk, ...]]:
    """Every disk that the member has, as far as it was exported, with how many of the notes had to be
    made right: disks that came or went, or were made anew since."""
    noted = {disk.path: disk for disk in tx.exported_disks(operation)}
    wanted = wanted_disks(tx, membership, operation)
    fresh = [disk for path, disk in wanted.items() if not as_noted(disk, noted.get(path))]
    gone = [disk for path, disk in noted.items() if path not in wanted]
    for disk in fresh:
        tx.put_exported_disk(disk)
    for disk in gone:
        tx.remove_exported_disk(disk)
    return len(fresh) + len(gone), tx.exported_disks(operation)


def is_exported(tx: Snapshot, membership: Membership) -> bool:
    """Everything that the member has lies in its export as it is: nobody has started a server since,
    and no disk has come, gone or been made anew."""
    if membership.operation is None:
        return False
    noted = {disk.path: disk for disk in tx.exported_disks(membership.operation)}
    wanted = wanted_disks(tx, membership, membership.operation)
    return (
        all(is_off(server) for server in tx.servers(membership.tenant.code))
        and noted.keys() == wanted.keys()
        and all(as_noted(disk, noted[path]) and noted[path].whole for path, disk in wanted.items())
    )


def forget_disks(tx: Transaction, operation: OperationId, servers: Collection[ServerId]) -> None:
    """Whatever was exported of these servers is to be exported anew."""
    for disk in tx.exported_disks(operation):
        if disk.server in servers:
            tx.remove_exported_disk(disk)


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
    attempt: int = 0
    """How often it went wrong before: each time another host is asked, where there is one."""
    _now: ExportedDisk = field(init=False)

    def __post_init__(self) -> None:
        self._now = self.disk

    def run(self) -> ExportedDisk:
        """Raises DriverError, PartInUse, Spoiled, OSError, LeaseLost."""
        with self.store.read() as tx:
            volume, host = self._where(tx)
        driver = self.world.driver(host)
        try:
            with self.export.begin_disk(
                self.disk.path,
                Earlier(self.disk.done, self.disk.length),
                self._progress,
                self.checkpoint,
            ) as part:
                driver.export_disk(self.disk.server, volume, part)
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

    def _where(self, tx: Snapshot) -> tuple[VolumeSpec | DataVolumeSpec, Host]:
        """What to ask which host for. Raises StorageUnavailable where no host that is well reaches it, and DisksBusy
        while it is still to be copied from a recovery point: its file may not say so itself after a crash."""
        paths = {pool.id: pool.path for site in tx.sites() for pool in site.storage_pools}
        server = None if self.disk.server is None else tx.server(self.disk.server)
        volume: VolumeSpec | DataVolumeSpec
        if self.disk.volume is not None:
            kept = tx.volume(self.disk.volume)
            leans = kept.leans_on
            path = paths[kept.storage]
            volume = DataVolumeSpec(kept.id, kept.storage, path, kept.size, build=self.disk.build)
        else:
            assert server is not None  # noqa: S101 — a root disk is some server's
            leans = server.leans_on
            path = paths[server.storage]
            volume = VolumeSpec(server.storage, path, server.disk, self.disk.build)
        if leans is not None:
            raise DisksBusy(
                f"{self.disk.path} is still being copied from its recovery point: it is exported once that has ended."
            )
        hosts = [
            host
            for host in tx.hosts()
            if isinstance(host.health, Up) and volume.pool in host.storage
        ]
        if not hosts:
            raise StorageUnavailable(f"No host that is well reaches {volume.pool}.")
        home = None if server is None else _home(server)
        hosts.sort(key=lambda host: (host.id != home, host.id))
        return volume, hosts[self.attempt % len(hosts)]


def _home(server: Server) -> object:
    match server.placement:
        case Placed(host=host) | Moving(source=host):
            return host
        case _:
            return None

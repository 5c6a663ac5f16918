"""The part of the libvirt driver that is about volumes beside the root disk, copies of all disks, and
their reading for backups."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

import libvirt

from control_plane.drivers.backup_source import BackupSource, Extent
from control_plane.drivers.disks import (
    Copying,
    DataVolumeSpec,
    DiskSink,
    SnapshotDiskSpec,
    SnapshotSpec,
    VolumeSpec,
)
from control_plane.drivers.leaning import require_whole
from control_plane.drivers.libvirt import backups, copying, data_volumes, snapshots
from control_plane.drivers.libvirt.connection import LONG, SLOW, Connection
from control_plane.drivers.libvirt.export import export_disk
from control_plane.drivers.libvirt.filling import fill_disk, lean_disk, remove_build
from control_plane.drivers.libvirt.nbd_transport import Transport
from control_plane.drivers.protocol import ServerSpec
from control_plane.model.ids import Generation, ServerId, VolumeId
from control_plane.model.units import Seconds

_POLL = Seconds(0.2)
_LETTING_GO = Seconds(15.0)
"""A guest's kernel lets a disk go within a second or so; one that has it mounted may never."""


class LibvirtDisks:
    """Each method as in HostDriver."""

    _connection: Connection
    _transport: Transport
    _machine: str

    def ensure_data_volume(
        self, volume: DataVolumeSpec, source: SnapshotDiskSpec | None = None
    ) -> None:
        host = self._connection.host
        self._connection.call(lambda c: data_volumes.make(c, host, volume, source), LONG)

    def remove_data_volume(self, volume: DataVolumeSpec) -> None:
        host = self._connection.host
        self._connection.call(lambda c: data_volumes.remove(c, host, volume), SLOW)

    def grow_data_volume(
        self, volume: DataVolumeSpec, server: ServerId | None, listed: Generation
    ) -> None:
        host = self._connection.host
        self._connection.call(lambda c: data_volumes.grow(c, host, volume, server, listed), SLOW)

    def attach(self, server: ServerId, volume: DataVolumeSpec, listed: Generation) -> None:
        host = self._connection.host
        self._connection.call(lambda c: data_volumes.attach(c, host, server, volume, listed), SLOW)

    def detach(self, server: ServerId, volume: VolumeId, listed: Generation) -> bool:
        """The guest is asked once a call, and has a while to answer."""
        host = self._connection.host
        deadline = time.monotonic() + _LETTING_GO
        file = self._connection.call(lambda c: data_volumes.held_file(c, server, volume))
        ask = True

        def step(connection: libvirt.virConnect) -> bool:
            if not data_volumes.let_go(connection, host, server, volume, listed, ask=ask):
                return False
            return file is None or data_volumes.is_closed(connection, host, file)

        while not self._connection.call(step, SLOW):
            ask = False
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def snapshot(self, spec: ServerSpec, snapshot: SnapshotSpec) -> bool:
        require_whole(spec)
        host = self._connection.host
        uri = self._connection.uri
        return self._connection.call(lambda c: snapshots.take(c, uri, host, spec, snapshot), LONG)

    def remove_snapshot(self, snapshot: SnapshotSpec) -> None:
        host = self._connection.host
        self._connection.call(lambda c: snapshots.remove(c, host, snapshot), SLOW)

    def restore_snapshot(self, spec: ServerSpec, snapshot: SnapshotSpec) -> None:
        host = self._connection.host
        self._connection.call(lambda c: snapshots.restore(c, host, spec, snapshot), LONG)

    def export_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec | SnapshotDiskSpec,
        sink: DiskSink,
    ) -> None:
        """Piece by piece, each a call of its own: a host that falls silent costs one piece."""
        export_disk(self._connection, server, volume, sink)

    def fill_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec,
        content: Iterable[tuple[int, bytes]],
    ) -> None:
        """As a qcow2 file, written on the way: no second copy lies anywhere."""
        fill_disk(self._connection, server, volume, content)

    def lean_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec,
        zeros: Iterable[Extent],
    ) -> None:
        """As a qcow2 file whose backing file is served over NBD."""
        lean_disk(self._connection, server, volume, zeros)

    def copy_in(self, spec: ServerSpec) -> Copying:
        host, machine = self._connection.host, self._machine
        return self._connection.call(
            lambda c: copying.copy_in(c, host, spec, machine=machine), SLOW
        )

    def remove_build(self, server: ServerId | None, volume: VolumeSpec | DataVolumeSpec) -> None:
        remove_build(self._connection, server, volume)

    def open_backup(
        self, spec: ServerSpec, *, checkpoint: str, since: str | None, quiesce: bool
    ) -> AbstractContextManager[BackupSource]:
        require_whole(spec)
        asked = backups.Asked(spec, checkpoint, since, quiesce, self._transport)
        return backups.open_backup(self._connection, asked, machine=self._machine)

    def end_backup(self, server: ServerId) -> None:
        self._connection.call(lambda c: backups.end_backup(c, server), SLOW)

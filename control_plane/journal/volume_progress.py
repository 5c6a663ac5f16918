"""How far operations on volumes and snapshots have come, read off what is wanted and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from control_plane.journal.server_progress import done, superseded
from control_plane.model.errors import YuiError
from control_plane.model.ids import ServerId, SnapshotId, VolumeId
from control_plane.model.operation import Operation
from control_plane.model.volume import (
    Attached,
    ServerSnapshot,
    Unattached,
    Volume,
    VolumeStatus,
    status_of_volume,
)
from control_plane.store import Snapshot

VOLUME_CREATE = "volume.create"
VOLUME_ATTACH = "volume.attach"
VOLUME_DETACH = "volume.detach"
VOLUME_GROW = "volume.grow"
VOLUME_DELETE = "volume.delete"
SNAPSHOT_CREATE = "snapshot.create"
SNAPSHOT_RESTORE = "snapshot.restore"
SNAPSHOT_DELETE = "snapshot.delete"


def _volume(tx: Snapshot, operation: Operation) -> Volume | None:
    try:
        return tx.volume(VolumeId(str((operation.fields or {})["volume"])))
    except YuiError:
        return None


def _snapshot(tx: Snapshot, operation: Operation) -> ServerSnapshot | None:
    try:
        return tx.server_snapshot(SnapshotId(str((operation.fields or {})["snapshot"])))
    except YuiError:
        return None


def _created(tx: Snapshot, operation: Operation) -> Operation:
    """Made, and attached where that was asked for."""
    volume = _volume(tx, operation)
    if volume is None or volume.deleting:
        return superseded(operation)
    wants_server = (operation.fields or {}).get("server") is not None
    if wants_server and isinstance(volume.attachment, Attached):
        return _plugged(tx, operation, volume)
    return done(operation, int(volume.made))


def _attached(tx: Snapshot, operation: Operation) -> Operation:
    volume = _volume(tx, operation)
    wanted = (operation.fields or {})["server"]
    if (
        volume is None
        or not isinstance(volume.attachment, Attached)
        or volume.attachment.server != wanted
    ):
        return superseded(operation)
    return _plugged(tx, operation, volume)


def _plugged(tx: Snapshot, operation: Operation, volume: Volume) -> Operation:
    id = ServerId(str(volume.server))
    server = tx.servers_among({id}).get(id)
    # Also one that can't be made larger just now.
    status = status_of_volume(replace(volume, trouble=None), server)
    return done(operation, int(status in (VolumeStatus.IN_USE, VolumeStatus.GROWING)))


def _detached(tx: Snapshot, operation: Operation) -> Operation:
    volume = _volume(tx, operation)
    if volume is None or isinstance(volume.attachment, Attached):
        return superseded(operation)
    return done(operation, int(isinstance(volume.attachment, Unattached)))


def _grown(tx: Snapshot, operation: Operation) -> Operation:
    volume = _volume(tx, operation)
    if volume is None or volume.deleting:
        return superseded(operation)
    return done(operation, int(not volume.growing))


def _deleted(tx: Snapshot, operation: Operation) -> Operation:
    return done(operation, int(_volume(tx, operation) is None))


def _taken(tx: Snapshot, operation: Operation) -> Operation:
    snapshot = _snapshot(tx, operation)
    if snapshot is None or snapshot.deleting:
        return superseded(operation)
    return done(operation, int(snapshot.taken_at is not None))


def _restored(tx: Snapshot, operation: Operation) -> Operation:
    snapshot = _snapshot(tx, operation)
    if snapshot is None:
        return superseded(operation)
    return done(operation, int(not snapshot.restoring))


def _snapshot_deleted(tx: Snapshot, operation: Operation) -> Operation:
    return done(operation, int(_snapshot(tx, operation) is None))


VOLUME_DERIVATIONS: Mapping[str, Callable[[Snapshot, Operation], Operation]] = {
    VOLUME_CREATE: _created,
    VOLUME_ATTACH: _attached,
    VOLUME_DETACH: _detached,
    VOLUME_GROW: _grown,
    VOLUME_DELETE: _deleted,
    SNAPSHOT_CREATE: _taken,
    SNAPSHOT_RESTORE: _restored,
    SNAPSHOT_DELETE: _snapshot_deleted,
}

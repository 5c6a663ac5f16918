"""Volumes and snapshots as those who ask may see them."""

from __future__ import annotations

from typing import Literal

from control_plane.model.ids import ServerId
from control_plane.model.volume import (
    Attached,
    ServerSnapshot,
    Volume,
    status_of_snapshot,
    status_of_volume,
)
from control_plane.store import Snapshot
from tenants.volumes.models import SnapshotDiskOut, SnapshotOut, SourceOut, VolumeOut


def volumes_out(
    tx: Snapshot, volumes: tuple[Volume, ...], *, with_hardware: bool
) -> list[VolumeOut]:
    ids = {ServerId(volume.server) for volume in volumes if volume.server is not None}
    servers = tx.servers_among(ids)
    shown = []
    for volume in volumes:
        server = None if volume.server is None else servers.get(volume.server)
        source = volume.source
        shown.append(
            VolumeOut(
                id=volume.id,
                name=volume.name,
                tenant=volume.tenant.text,
                region=volume.region,
                size_gib=volume.size,
                status=status_of_volume(volume, server).value,
                server=volume.server,
                device=f"/dev/disk/by-id/virtio-{volume.id}"
                if isinstance(volume.attachment, Attached)
                else None,
                source=None
                if source is None
                else SourceOut(snapshot=source.snapshot, volume=source.volume),
                protected=volume.protected,
                storage=volume.storage if with_hardware else None,
                trouble=volume.trouble if with_hardware else None,
                created_at=volume.created_at,
                generation=volume.generation,
                description=volume.description,
                labels=dict(volume.labels),
            )
        )
    return shown


def snapshot_out(snapshot: ServerSnapshot, *, with_hardware: bool) -> SnapshotOut:
    consistency: Literal["quiesced", "crash"] = "quiesced" if snapshot.quiesced else "crash"
    return SnapshotOut(
        id=snapshot.id,
        name=snapshot.name,
        tenant=snapshot.tenant.text,
        region=snapshot.region,
        server=snapshot.server,
        server_name=snapshot.server_name,
        image=snapshot.image,
        status=status_of_snapshot(snapshot).value,
        consistency=None if snapshot.taken_at is None else consistency,
        size_gib=snapshot.size,
        disks=[
            SnapshotDiskOut(volume=disk.volume, name=disk.name, size_gib=disk.size)
            for disk in snapshot.disks
        ],
        storage=snapshot.storage if with_hardware else None,
        trouble=snapshot.trouble if with_hardware else None,
        created_at=snapshot.created_at,
        taken_at=snapshot.taken_at,
        generation=snapshot.generation,
    )

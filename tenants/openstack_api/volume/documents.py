"""Volumes as Cinder shows them."""

from __future__ import annotations

from collections.abc import Sequence

from control_plane.model.ids import ServerId, StoragePoolId
from control_plane.model.volume import (
    Attached,
    Unattached,
    Volume,
    VolumeStatus,
    status_of_volume,
)
from control_plane.store import Snapshot
from tenants.openstack_api.times import without_zone
from tenants.openstack_api.volume.view import Json, VolumeView

TYPE = "default"
"""The one type of volumes; its name and id."""


def status_word(volume: Volume, status: VolumeStatus) -> str:
    """Cinder has no word for what can't be known: a volume stays its server's until that is known to have
    let go of it, and so in use."""
    match status:
        case VolumeStatus.UNKNOWN:
            return "in-use" if isinstance(volume.attachment, Attached) else "detaching"
        case VolumeStatus.GROWING:
            return "extending"
        case VolumeStatus.ERROR if volume.deleting:
            return "error_deleting"
        case VolumeStatus.ERROR if volume.growing:
            return "error_extending"
        case _:
            return status.value


def documents(tx: Snapshot, volumes: Sequence[Volume], view: VolumeView) -> list[Json]:
    """In full."""
    servers = tx.servers_among(
        {ServerId(volume.server) for volume in volumes if volume.server is not None}
    )
    zones = zones_of_storage(tx, view)
    shown = []
    for volume in volumes:
        server = None if volume.server is None else servers.get(volume.server)
        shown.append(
            {
                "id": volume.id,
                "name": volume.name,
                "description": volume.description or None,
                "status": status_word(volume, status_of_volume(volume, server)),
                "size": volume.size,
                "availability_zone": zones.get(volume.storage),
                "created_at": without_zone(volume.created_at),
                "updated_at": None,
                "attachments": _attachments(volume),
                "metadata": dict(volume.labels),
                "volume_type": TYPE,
                "snapshot_id": None,
                "source_volid": None,
                "bootable": "false",
                "encrypted": False,
                "multiattach": False,
                "replication_status": None,
                "consistencygroup_id": None,
                "user_id": None,
                "os-vol-tenant-attr:tenant_id": volume.tenant.text,
                "links": view.links("volumes", volume.id),
            }
        )
    return shown


def document(tx: Snapshot, volume: Volume, view: VolumeView) -> Json:
    (shown,) = documents(tx, (volume,), view)
    return shown


def summary(volume: Volume, view: VolumeView) -> Json:
    return {
        "id": volume.id,
        "name": volume.name,
        "links": view.links("volumes", volume.id),
    }


def zones_of_storage(tx: Snapshot, view: VolumeView) -> dict[StoragePoolId, str]:
    """The site of each storage pool, which is what an availability zone is."""
    return {pool.id: site.id for site in tx.sites(view.region) for pool in site.storage_pools}


def _attachments(volume: Volume) -> list[Json]:
    """Hosts are nothing that members see, and when it was attached is nothing that is kept."""
    if isinstance(volume.attachment, Unattached):
        return []
    return [
        {
            "id": volume.id,
            "attachment_id": volume.id,
            "volume_id": volume.id,
            "server_id": volume.server,
            "device": f"/dev/disk/by-id/virtio-{volume.id}",
            "host_name": None,
            "attached_at": None,
        }
    ]

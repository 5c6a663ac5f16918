"""Disks of a member in the state, for tests about something else."""

from __future__ import annotations

from control_plane.model.ids import SnapshotId, VolumeId
from control_plane.model.units import GiB
from control_plane.model.volume import Attached, ServerSnapshot, SnapshotDisk, Volume
from control_plane.model.workload import Server
from control_plane.store import Transaction
from tests.api.conftest import NOW


def add_disks(tx: Transaction, server: Server) -> None:
    """A volume that the server has, and a snapshot of it."""
    region = tx.region_of(server.id)
    tx.add_volume(
        Volume(
            VolumeId("vol-mikasa"), server.tenant, region, "三笠市 data", GiB(5), server.storage, NOW,
            Attached(server.id, 0), made=True,
        )
    )  # fmt: skip
    tx.add_server_snapshot(
        ServerSnapshot(
            SnapshotId("snap-mikasa"), server.tenant, region, "三笠市 snapshot", server.id,
            server.name, server.image, server.storage, (SnapshotDisk(None, "root", GiB(5)),),
            NOW, NOW,
        )
    )  # fmt: skip

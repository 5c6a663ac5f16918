"""What waits until a server's disks lean on nothing any more."""

from __future__ import annotations

from control_plane.drivers.disks import DataVolumeSpec, VolumeSpec
from control_plane.drivers.protocol import DisksBusy, ServerSpec
from control_plane.model.ids import ServerId


def leaning_disks(spec: ServerSpec) -> tuple[VolumeSpec | DataVolumeSpec, ...]:
    disks: tuple[VolumeSpec | DataVolumeSpec, ...] = (spec.volume, *spec.data_volumes)
    return tuple(each for each in disks if each.backing is not None)


def require_whole(spec: ServerSpec) -> None:
    """Raises DisksBusy."""
    if leaning_disks(spec):
        raise still_leaning(spec.id)


def still_leaning(server: ServerId) -> DisksBusy:
    return DisksBusy(
        f"Server {server} still reads its disks from its recovery point: this has to wait until they are copied"
    )

"""Volumes and snapshots as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from control_plane.http.bounds import Name, RequestBody, ResponseBody
from tenants.server_notes_models import Description, Labels

LARGEST = 16_384
"""GiB. Larger disks take longer to copy than a night has."""

DiskName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$", max_length=50)
]


class NewVolumeIn(RequestBody):
    """`server`: attach it there once it is made; it lies on that server's storage. `snapshot` fills it
    with what one of that snapshot's disks holds: `snapshot_volume` by its id, or the root disk without.
    `size_gib` may be left out then. Without server and snapshot, `region` is needed of members who have
    systems in several; `site` or a server that it is to lie `beside` says where in it, else it goes where
    all servers of the member are, or where there is most room."""

    name: DiskName
    size_gib: int | None = Field(default=None, ge=1, le=LARGEST)
    server: Name | None = None
    region: Name | None = None
    snapshot: Name | None = None
    snapshot_volume: Name | None = None
    protected: bool = Field(default=False, description="Against being deleted.")
    site: Name | None = None
    beside: Name | None = None
    description: Description = ""
    labels: Labels = Field(default_factory=dict)


class VolumeChangeIn(RequestBody):
    """What is left out stays as it is. `labels` replace all that there are; they mean nothing to Yui, and
    must hold no secret."""

    protected: bool | None = Field(default=None, description="Against being deleted.")
    name: DiskName | None = None
    description: Description | None = None
    labels: Labels | None = None


class GrowIn(RequestBody):
    """How large it is to be, not how much is to be added."""

    size_gib: int = Field(ge=1, le=LARGEST)


class AttachIn(RequestBody):
    volume: Name


class SourceOut(ResponseBody):
    """`volume` null: the root disk."""

    snapshot: str
    volume: str | None


class VolumeOut(ResponseBody):
    """`server` is whose it is, also while it is being detached; nobody else gets it before. `device` is
    where its guest finds it. `status` is unknown while its server's host does not answer, and error
    while what was asked for fails; that is tried again. `size_gib` is what was asked for: while it is
    growing its guest may see less. `storage` and `trouble` are null for members,
    who never see hardware."""

    id: str
    name: str
    tenant: str
    region: str
    size_gib: int
    status: Literal[
        "creating",
        "available",
        "attaching",
        "in-use",
        "growing",
        "detaching",
        "deleting",
        "error",
        "unknown",
    ]
    server: str | None
    device: str | None
    source: SourceOut | None
    protected: bool
    storage: str | None
    trouble: str | None
    created_at: datetime
    generation: int
    description: str
    labels: dict[str, str]


class NewSnapshotIn(RequestBody):
    name: DiskName


class SnapshotDiskOut(ResponseBody):
    """`volume` null: the server's root disk."""

    volume: str | None
    name: str
    size_gib: int


class SnapshotOut(ResponseBody):
    """All disks of a server at one point in time, `taken_at`. `consistency`: quiesced, where nothing was
    being written just then; crash, where it is as after a power cut. A snapshot outlives its server."""

    id: str
    name: str
    tenant: str
    region: str
    server: str
    server_name: str
    image: str
    status: Literal["creating", "available", "restoring", "deleting", "error"]
    consistency: Literal["quiesced", "crash"] | None
    size_gib: int
    disks: list[SnapshotDiskOut]
    storage: str | None
    trouble: str | None
    created_at: datetime
    taken_at: datetime | None
    generation: int

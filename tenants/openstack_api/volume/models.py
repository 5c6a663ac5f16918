"""What clients send about volumes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from control_plane.http.bounds import Name, RequestBody
from tenants.server_notes_models import Description, LabelName, Labels, LabelText
from tenants.volumes.models import LARGEST, DiskName

_Text = Annotated[str, Field(max_length=255)]
Json = dict[str, Any]


class HintsIn(RequestBody):
    """The server on whose storage the volume is to lie, so that it can be attached there."""

    local_to_instance: Name | None = None


class VolumeIn(RequestBody):
    """`name` is unique among a member's volumes; without it the volume is called by an id."""

    size: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    name: DiskName | Literal[""] | None = None
    description: Description | None = None
    availability_zone: Name | None = None
    metadata: Labels | None = None
    volume_type: _Text | None = None
    multiattach: bool | None = None
    snapshot_id: _Text | None = None
    source_volid: _Text | None = None
    image: _Text | None = Field(default=None, alias="imageRef")
    backup_id: _Text | None = None
    consistencygroup_id: _Text | None = None


class NewVolume(RequestBody):
    volume: VolumeIn
    hints: HintsIn | None = Field(default=None, alias="OS-SCH-HNT:scheduler_hints")


class ChangeIn(RequestBody):
    name: DiskName | None = None
    description: Description | None = None
    metadata: Labels | None = None
    display_name: DiskName | None = None
    display_description: Description | None = None


class VolumeChange(RequestBody):
    volume: ChangeIn


class MetadataIn(RequestBody):
    metadata: Labels


class MetaIn(RequestBody):
    meta: Annotated[dict[LabelName, LabelText], Field(min_length=1, max_length=1)]

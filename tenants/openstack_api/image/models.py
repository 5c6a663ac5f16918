"""What clients send to create an image."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from control_plane.http.bounds import RequestBody, ShortText

_Text = Annotated[str, Field(max_length=255)]


class ImageIn(RequestBody):
    """Whatever is not known here is a property of the member's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: ShortText | None = None
    disk_format: _Text | None = None
    container_format: _Text | None = None
    visibility: _Text | None = None
    protected: bool | None = None
    os_hidden: bool | None = None
    min_disk: Annotated[int, Field(ge=0, le=2**31)] | None = None
    min_ram: Annotated[int, Field(ge=0, le=2**31)] | None = None
    tags: Annotated[list[_Text], Field(max_length=128)] | None = None
    id: _Text | None = None
    owner: _Text | None = None

    @property
    def others(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

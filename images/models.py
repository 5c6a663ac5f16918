"""Images, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from control_plane.http.bounds import Name, RequestBody, ResponseBody, Sentence, ShortText
from control_plane.model.image import Image, ImageFormat

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]
PathText = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


class ImageIn(RequestBody):
    """`path` is a file below the control plane's image directory, absolute or relative to it.
    `sha256` is the digest that its maker published: with it, a file that was changed on its way is
    refused. `id` is taken from `name` where it is left out."""

    path: PathText
    name: Name
    id: Name | None = None
    version: ShortText
    provenance: Sentence
    sha256: Sha256 | None = None


class ImageOut(ResponseBody):
    """`location` is shown to operators alone."""

    id: str
    name: str
    version: str
    format: ImageFormat
    sha256: str
    size_bytes: int
    virtual_size_gib: int
    provenance: str
    added_at: datetime
    location: str | None = Field(default=None)

    @staticmethod
    def of(image: Image, *, show_location: bool) -> ImageOut:
        return ImageOut(
            id=image.id,
            name=image.name,
            version=image.version,
            format=image.format,
            sha256=image.sha256,
            size_bytes=image.size_bytes,
            virtual_size_gib=image.virtual_size,
            provenance=image.provenance,
            added_at=image.added_at,
            location=image.location if show_location else None,
        )

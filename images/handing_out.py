"""Hands out the bytes of a member's own image, to that member."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from control_plane.http.edge import Edge
from control_plane.http.principal import Principal
from control_plane.model.errors import YuiError
from control_plane.model.image import Image

HANDED_OUT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All of the file, whose sha256 the image says.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "The range of it that was asked for."},
}


class HandedOut(FileResponse):
    """A file that is sent as it is read, and holds its place among those that are sent."""

    media_type = "application/octet-stream"

    def __init__(
        self, path: Path | str, place: AbstractContextManager[None] | None = None, **more: Any
    ) -> None:
        super().__init__(path, media_type=self.media_type, **more)
        self._place = nullcontext() if place is None else place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


def handed_out(image: Image, who: Principal, edge: Edge) -> HandedOut:
    """Raises `image-not-handed-out`, `image-file-missing`, `too-many-streams`."""
    if who.tenant is None or image.owner != who.tenant.text:
        raise YuiError(
            "image-not-handed-out",
            en=f"The file of image '{image.id}' is handed out to the member that brought it alone.",
            ja=f"イメージ「{image.id}」のファイルは、登録した団体だけが受け取れます。",
            status=403,
            fields={"image": image.id},
        )
    path = Path(image.location)
    if not path.is_file():
        raise YuiError(
            "image-file-missing",
            en=f"The file of image '{image.id}' is not where it was put: tell the operators.",
            ja=f"イメージ「{image.id}」のファイルが見つかりません。運用担当者にお知らせください。",
            status=409,
            fields={"image": image.id},
        )
    headers = {"Cache-Control": "private, no-store"}
    return HandedOut(path, edge.streams.one(who), headers=headers)

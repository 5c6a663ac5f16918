"""Hands out the bytes of a member's own image, to that member."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
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


_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")


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
            await super().__call__(self._with_range_that_is_one(scope), receive, send)

    def _with_range_that_is_one(self, scope: Scope) -> Scope:
        """A range that can't be given is passed over, as RFC 9110 §14.2 leaves it to a server."""
        size = Path(self.path).stat().st_size
        asked = Headers(scope=scope).get("range", "")
        match = _RANGE.fullmatch(asked)
        if match and int(match[1]) < size and (not match[2] or int(match[1]) <= int(match[2])):
            return scope
        return {**scope, "headers": [each for each in scope["headers"] if each[0] != b"range"]}


def handed_out(image: Image, who: Principal, edge: Edge) -> HandedOut:
    """Raises `image-not-handed-out`, `image-file-missing`, `too-many-streams`."""
    if who.tenant is None or image.owner != who.tenant.text:
        raise YuiError(
            "image-not-handed-out",
            en=f"The file of image '{image.id}' is handed out to the member that brought it alone.",
            ja=f"イメージ「{image.id}」のファイルは、登録した団体だけが受け取れます。",
            status=409,
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

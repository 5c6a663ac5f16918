"""What the routes of images have at hand beside the state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from images.uploads import UploadFolder


async def _directory(request: Request) -> Path | None:
    return cast("Path | None", request.app.state.images)


async def _folder(request: Request) -> UploadFolder:
    return UploadFolder(request.app.state.images)


Directory = Annotated[Path | None, Depends(_directory)]
"""Files are taken from below it alone; None takes none. Held in `app.state.images`."""

Folder = Annotated[UploadFolder, Depends(_folder)]
"""Where uploads grow and images of members stay, below `Directory`."""

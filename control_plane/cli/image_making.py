"""`yui image from-server, describe, download`: members' images out of their servers, and home again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli import image_messages as i
from control_plane.cli.changes import finish
from control_plane.cli.client import segment
from control_plane.cli.images import show_answer
from control_plane.cli.labels import with_changes
from control_plane.cli.options import DryRun, Wait
from control_plane.cli.own_images import ImageArgument, app
from control_plane.cli.session import Session, read, session_of
from control_plane.model.errors import YuiError
from images.models import ImageOut

__all__ = ["app"]

_AT_ONCE = 1024 * 1024

Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        help="KEY=VALUE to be said of the image, or KEY= to say it no longer; may be repeated.",
    ),
]


@app.command("from-server")
def from_server(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="The server's name or id.", metavar="SERVER")],
    *,
    name: Annotated[str, typer.Option(help="What the image is to be called.")],
    version: Annotated[
        str | None, typer.Option(help="Its version; the day where it is left out.")
    ] = None,
    properties: Properties = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Make an image of your own out of a server's disk as it is now, whether it runs or not."""
    session = session_of(context)
    body: dict[str, object] = {"name": name, "properties": with_changes({}, properties or ())}
    if version is not None:
        body["version"] = version
    document = session.api.post(f"/v1/servers/{segment(server)}/image", body, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command("describe")
def describe(
    context: typer.Context,
    image: ImageArgument,
    *,
    name: Annotated[str | None, typer.Option(help="What the image is to be called.")] = None,
    properties: Properties = None,
    dry_run: DryRun = False,
) -> None:
    """Call an image that you brought something else, or say more of it."""
    session = session_of(context)
    path = f"/v1/images/{segment(image)}"
    known = read(ImageOut, session.api.get(path))
    body = {
        "name": known.name if name is None else name,
        "properties": with_changes(known.properties, properties or ()),
    }
    document = session.api.put(f"{path}/description", body, dry_run=dry_run)
    show_answer(session, document, dry_run=dry_run)


@app.command("download")
def download(
    context: typer.Context,
    image: ImageArgument,
    *,
    to: Annotated[Path, typer.Option(help="The new file on this machine.")],
) -> None:
    """Take the file of an image that you brought home. Run it again where it broke off."""
    session = session_of(context)
    path = f"/v1/images/{segment(image)}"
    document = session.api.get(path)
    wanted = read(ImageOut, document)
    if to.exists():
        raise YuiError(
            "image-file-exists",
            en=i.FILE_EXISTS.en.format(path=to),
            ja=i.FILE_EXISTS.ja.format(path=to),
        )
    session.underway = session.screen.text(i.DOWNLOAD_GOES_ON)
    try:
        _fetch(session, f"{path}/file", wanted, to)
    except OSError as error:
        raise YuiError(
            "image-file-not-kept",
            en=i.NOT_KEPT.en.format(path=to, reason=error.strerror),
            ja=i.NOT_KEPT.ja.format(path=to, reason=error.strerror),
        ) from None
    session.underway = None
    if session.screen.json:
        session.screen.data(document)
        return
    session.screen.say(i.DOWNLOADED, image=wanted.id, path=to)


def _fetch(session: Session, path: str, wanted: ImageOut, to: Path) -> None:
    """The whole file under its name, its digest checked; what an earlier attempt left is gone on with."""
    part = to.with_name(f"{to.name}.part")
    held = part.stat().st_size if part.is_file() else 0
    if held > wanted.size_bytes:
        part.unlink()
        held = 0
    with part.open("ab") as out:
        if held < wanted.size_bytes:
            for chunk in session.api.parts(path, held):
                out.write(chunk)
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            digest.update(chunk)
    if digest.hexdigest() != wanted.sha256:
        part.unlink()
        raise YuiError("image-file-spoiled", en=i.SPOILED.en, ja=i.SPOILED.ja)
    part.rename(to)

"""`yui image`: the catalogue of disk images."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun
from control_plane.cli.output import Column, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from images.models import ImageOut

app = typer.Typer(no_args_is_help=True, help="Disk images of the catalogue.")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the images."""
    session = session_of(context)
    documents = session.api.every("/v1/images")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(ImageOut, documents)
    if not found:
        session.screen.note(m.NO_IMAGES)
        return
    session.screen.table(
        [
            Column(m.IMAGE),
            Column(m.VERSION),
            Column(m.FORMAT),
            Column(m.DISK, "right"),
            Column(m.SHA256),
            Column(m.PROVENANCE),
            Column(m.TIME),
        ],
        [
            (
                image.id,
                image.version,
                image.format.value,
                f"{image.virtual_size_gib} GiB",
                image.sha256[:12],
                image.provenance,
                local_time(image.added_at.isoformat()),
            )
            for image in found
        ],
    )


@app.command()
def add(
    context: typer.Context,
    path: Annotated[
        str,
        typer.Argument(help="The file, below the control plane's image directory.", metavar="PATH"),
    ],
    *,
    name: Annotated[str, typer.Option(help="The image's name: a-z, 0-9 and hyphens.")],
    version: Annotated[str, typer.Option(help="Its version, as its maker counts.")],
    provenance: Annotated[str, typer.Option(help="Who made it from what, in one line.")],
    sha256: Annotated[
        str | None, typer.Option(help="The digest its maker published; another one is refused.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Add an image to the catalogue, once it has been read and its digest taken."""
    session = session_of(context)
    body: dict[str, object] = {
        "path": path,
        "name": name,
        "version": version,
        "provenance": provenance,
    }
    if sha256 is not None:
        body["sha256"] = sha256
    document = session.api.post("/v1/images", body, dry_run=dry_run)
    if session.screen.json:
        session.screen.data(document)
        return
    _show(session, read(ImageOut, document))
    if dry_run:
        session.screen.say(m.POOL_DRY_RUN)


@app.command()
def verify(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="The image's id.", metavar="IMAGE")],
) -> None:
    """Read an image's file again and compare its digest with the catalogue's."""
    session = session_of(context)
    document = session.api.post(f"/v1/images/{segment(image)}/verify")
    if session.screen.json:
        session.screen.data(document)
        return
    _show(session, read(ImageOut, document))


def _show(session: Session, image: ImageOut) -> None:
    session.screen.pairs(
        [
            (m.IMAGE, image.id),
            (m.VERSION, image.version),
            (m.FORMAT, image.format.value),
            (m.DISK, f"{image.virtual_size_gib} GiB"),
            (m.SHA256, image.sha256),
            (m.PROVENANCE, image.provenance),
        ]
    )

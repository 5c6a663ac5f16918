"""`yui image`: the catalogue of disk images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from control_plane.cli import catalogue_messages as c
from control_plane.cli import image_messages as i
from control_plane.cli import messages as m
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun
from control_plane.cli.output import Column, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError
from images.machine_description import MAX_CHARACTERS
from images.models import ImageOut, Standard

app = typer.Typer(no_args_is_help=True, help="Disk images of the catalogue.")


class Declaration(StrEnum):
    VIRTIO = "virtio"
    CLOUD_INIT = "cloud-init"
    SERIAL_CONSOLE = "serial-console"
    NO_HOST_PINNING = "no-host-pinning"


_DECLARES: dict[Declaration, tuple[str, object]] = {
    Declaration.VIRTIO: ("virtio", True),
    Declaration.CLOUD_INIT: ("cloud_init", "nocloud"),
    Declaration.SERIAL_CONSOLE: ("serial_console", "ttyS0"),
    Declaration.NO_HOST_PINNING: ("no_host_pinning", True),
}


ImageName = Annotated[str, typer.Option(help="The image's name: a-z, 0-9 and hyphens.")]
Version = Annotated[str, typer.Option(help="Its version, as its maker counts.")]
Provenance = Annotated[str, typer.Option(help="Who made it from what, in one line.")]
Declare = Annotated[
    list[Declaration] | None,
    typer.Option(
        help="What you know of the image and nobody can read in it: virtio, cloud-init, serial-console, no-host-pinning; repeatable."
    ),
]
Requirements = Annotated[
    Path | None,
    typer.Option(help="The vendor's description of the machine: OVF, libvirt XML or JSON."),
]


def declared(named: list[Declaration] | None) -> dict[str, object]:
    """As a request says it."""
    return dict(_DECLARES[each] for each in named or ())


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
            Column(i.NAME),
            Column(m.VERSION),
            Column(i.OWNER),
            Column(m.FORMAT),
            Column(m.DISK, "right"),
            Column(m.SHA256),
            Column(m.PROVENANCE),
            Column(m.TIME),
        ],
        [
            (
                image.id,
                image.name,
                image.version,
                owner(session, image),
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
    name: ImageName,
    version: Version,
    provenance: Provenance,
    sha256: Annotated[
        str | None, typer.Option(help="The digest its maker published; another one is refused.")
    ] = None,
    declare: Declare = None,
    requirements: Requirements = None,
    dry_run: DryRun = False,
) -> None:
    """Add an image to the catalogue, once it was judged against the standard and its digest taken."""
    session = session_of(context)
    body: dict[str, object] = {
        "path": path,
        "name": name,
        "version": version,
        "provenance": provenance,
        "declares": declared(declare),
    }
    if requirements is not None:
        body["requirements"] = text_of(requirements)
    if sha256 is not None:
        body["sha256"] = sha256
    document = session.api.post("/v1/images", body, dry_run=dry_run)
    show_answer(session, document, dry_run=dry_run)


@app.command("show")
def show(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="The image's id.", metavar="IMAGE")],
) -> None:
    """Show an image, and how it met the standard."""
    session = session_of(context)
    document = session.api.get(f"/v1/images/{segment(image)}")
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(ImageOut, document)
    show_image(session, found)
    if not found.report:
        session.screen.note(c.NOT_JUDGED)


@app.command()
def standard(context: typer.Context) -> None:
    """Print the admission standard: what an image must satisfy, and why."""
    session = session_of(context)
    document = session.api.get("/v1/images/standard")
    if session.screen.json:
        session.screen.data(document)
        return
    session.screen.table(
        [Column(m.ID), Column(c.REQUIREMENT), Column(c.WHY)],
        [(each.id, each.title, each.why) for each in read(Standard, document).items],
    )


@app.command()
def verify(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="The image's id.", metavar="IMAGE")],
) -> None:
    """Read an image's file again and compare its digest with the catalogue's."""
    session = session_of(context)
    document = session.api.post(f"/v1/images/{segment(image)}/verify")
    show_answer(session, document)


def text_of(path: Path) -> str:
    """Raises YuiError `machine-description-unreadable`."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise YuiError(
            "machine-description-unreadable",
            en=f"{path} can't be read ({reason}): check the path.",
            ja=f"{path} を読めません({reason})。パスを確認してください。",
        ) from None


def owner(session: Session, image: ImageOut) -> str:
    """Whose it is, and whether others see it."""
    if image.owner is None:
        return session.screen.text(i.CATALOGUE)
    said = i.PRIVATE_TO if image.private else i.SHARED_BY
    return session.screen.text(said, owner=image.owner)


def show_answer(session: Session, document: Any, *, dry_run: bool = False) -> None:
    """The image that was judged, or would be."""
    if session.screen.json:
        session.screen.data(document)
        return
    show_image(session, read(ImageOut, document))
    if dry_run:
        session.screen.say(m.POOL_DRY_RUN)


def show_image(session: Session, image: ImageOut) -> None:
    session.screen.pairs(
        [
            (m.IMAGE, image.id),
            (i.NAME, image.name),
            (m.VERSION, image.version),
            (i.OWNER, owner(session, image)),
            (m.FORMAT, image.format.value),
            (m.DISK, f"{image.virtual_size_gib} GiB"),
            (m.SHA256, image.sha256),
            (m.PROVENANCE, image.provenance),
            *(
                [(i.PROPERTIES, ", ".join(f"{k}={v}" for k, v in image.properties.items()))]
                if image.properties
                else []
            ),
        ]
    )
    if image.report:
        session.screen.table(
            [Column(c.REQUIREMENT), Column(c.VERDICT), Column(c.FINDING)],
            [
                (
                    each.requirement,
                    c.VERDICTS[each.verdict.value].text(session.language),
                    session.sentence(each.en, each.ja),
                )
                for each in image.report
            ],
        )

"""`yui server rename, notes, note`: what members call their servers, and write down of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import server_note_messages as n
from control_plane.cli.changes import shown, tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun
from control_plane.cli.output import local_time
from control_plane.cli.server_life import app
from control_plane.cli.servers import ServerArgument
from control_plane.cli.session import Session, read, session_of
from control_plane.model.errors import YuiError
from tenants.server_notes_models import ServerNotesOut

__all__ = ["app"]


@app.command()
def rename(
    context: typer.Context,
    server: ServerArgument,
    name: Annotated[str, typer.Argument(help="What the server is to be called.", metavar="NAME")],
    dry_run: DryRun = False,
) -> None:
    """Give a server another name; its guest learns of it when it is next started."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/rename"
    document = session.api.post(path, {"name": name}, dry_run=dry_run)
    tell(session, document, n.RENAMED, dry_run=dry_run, server=server, name=name)


@app.command()
def notes(context: typer.Context, server: ServerArgument) -> None:
    """Show who made a server and when, and what is written down of it."""
    session = session_of(context)
    document = session.api.get(f"/v1/servers/{segment(server)}/notes")
    if session.screen.json:
        session.screen.data(document)
    else:
        _show(session, read(ServerNotesOut, document))


@app.command()
def note(
    context: typer.Context,
    server: ServerArgument,
    *,
    description: Annotated[str | None, typer.Option(help="What it is for, in a sentence.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE to be added, or KEY= to be taken off; may be repeated."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag to be added; may be repeated.")
    ] = None,
    untag: Annotated[
        list[str] | None, typer.Option(help="A tag to be taken off; may be repeated.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Write down what a server is for; it must hold no secret."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/notes"
    known = read(ServerNotesOut, session.api.get(path))
    body: dict[str, Any] = {}
    if description is not None:
        body["description"] = description or None
    if label:
        labels = known.labels | dict(map(_parted, label))
        body["labels"] = {key: value for key, value in labels.items() if value}
    if tag or untag:
        gone = set(untag or ())
        body["tags"] = [each for each in (*known.tags, *(tag or ())) if each not in gone]
    document = session.api.patch(path, body, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        _show(session, read(ServerNotesOut, document))


def _parted(label: str) -> tuple[str, str]:
    key, equals, value = label.partition("=")
    if not equals:
        raise YuiError("label-unclear", en=n.LABEL_UNCLEAR.en, ja=n.LABEL_UNCLEAR.ja)
    return key, value


def _show(session: Session, found: ServerNotesOut) -> None:
    session.screen.pairs(
        [
            (n.MADE, local_time(found.made_at.isoformat())),
            (n.MADE_BY, found.made_by or "-"),
            (n.DESCRIPTION, found.description or "-"),
            (n.LABELS, ", ".join(f"{k}={v}" for k, v in sorted(found.labels.items())) or "-"),
            (n.TAGS, ", ".join(found.tags) or "-"),
            (n.SITES, ", ".join(found.sites) or "-"),
        ]
    )

"""`yui volume`: disks apart from servers' own."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import server_note_messages as n
from control_plane.cli import volume_messages as v
from control_plane.cli.changes import finish, remove_after_asking, shown, tell
from control_plane.cli.client import segment
from control_plane.cli.labels import with_changes
from control_plane.cli.options import DryRun, TenantFilter, Wait, Yes
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.session import read, read_all, session_of
from control_plane.model.errors import YuiError
from tenants.volumes.models import VolumeOut

app = typer.Typer(no_args_is_help=True, help="Volumes: disks apart from servers' own.")

Description = Annotated[str | None, typer.Option(help="What it is for, in a sentence.")]
Label = Annotated[
    list[str] | None,
    typer.Option(help="KEY=VALUE to be added, or KEY= to be taken off; may be repeated."),
]
VolumeArgument = Annotated[str, typer.Argument(help="The volume's name or id.", metavar="VOLUME")]


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None) -> None:
    """List the volumes."""
    session = session_of(context)
    documents = session.api.every("/v1/volumes", tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(VolumeOut, documents)
    if not found:
        session.screen.note(v.NO_VOLUMES)
        return
    session.screen.table(
        [
            Column(v.NAME),
            Column(v.VOLUME),
            Column(v.SIZE, "right"),
            Column(v.STATUS),
            Column(v.SERVER),
        ],
        [
            (one.name, one.id, str(one.size_gib), State(one.status), one.server or "-")
            for one in found
        ],
    )


@app.command()
def show(context: typer.Context, volume: VolumeArgument) -> None:
    """Show one volume."""
    session = session_of(context)
    document = session.api.get(f"/v1/volumes/{segment(volume)}")
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(VolumeOut, document)
    session.screen.pairs(
        [
            (v.NAME, one.name),
            (v.VOLUME, one.id),
            (v.SIZE, str(one.size_gib)),
            (v.STATUS, State(one.status)),
            (v.SERVER, one.server or "-"),
            (v.DEVICE, one.device or "-"),
            (v.PROTECTED, State("yes" if one.protected else "no")),
            (v.MADE, local_time(one.created_at.isoformat())),
            (n.DESCRIPTION, one.description or "-"),
            (n.LABELS, ", ".join(f"{k}={w}" for k, w in one.labels.items()) or "-"),
        ]
    )


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the volume is to be called.", metavar="NAME")],
    *,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="How large, in GiB. From a snapshot: as its disk, or larger."),
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="Attach it to this server once it is made.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="In which region, where you have systems in several.")
    ] = None,
    snapshot: Annotated[str | None, typer.Option(help="Fill it from this snapshot.")] = None,
    snapshot_volume: Annotated[
        str | None,
        typer.Option(help="Which disk of the snapshot: a volume's id. Without it: the root disk."),
    ] = None,
    protected: Annotated[
        bool, typer.Option("--protected", help="Protect it against being deleted.")
    ] = False,
    site: Annotated[str | None, typer.Option(help="At which site of the region.")] = None,
    beside: Annotated[
        str | None, typer.Option(help="On the storage of this server, without attaching it there.")
    ] = None,
    description: Description = None,
    label: Label = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Make a volume, empty or from a snapshot."""
    session = session_of(context)
    given = {
        "name": name,
        "size_gib": size,
        "server": server,
        "region": region,
        "snapshot": snapshot,
        "snapshot_volume": snapshot_volume,
        "protected": protected,
        "site": site,
        "beside": beside,
        "description": description,
        "labels": with_changes({}, label) if label else None,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    finish(
        session,
        session.api.post("/v1/volumes", wanted, dry_run=dry_run),
        wait=wait,
        dry_run=dry_run,
    )


@app.command()
def attach(
    context: typer.Context,
    volume: VolumeArgument,
    server: Annotated[str, typer.Argument(help="The server that is to have it.", metavar="SERVER")],
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Give an available volume to a server, also while it runs."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/volumes"
    document = session.api.post(path, {"volume": volume}, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def detach(
    context: typer.Context, volume: VolumeArgument, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Take a volume from its server: unmount it there first."""
    session = session_of(context)
    found = read(VolumeOut, session.api.get(f"/v1/volumes/{segment(volume)}"))
    if found.server is None:
        raise YuiError(
            "volume-not-attached",
            en=v.NOT_ATTACHED.en.format(volume=found.name),
            ja=v.NOT_ATTACHED.ja.format(volume=found.name),
            status=409,
        )
    path = f"/v1/servers/{segment(found.server)}/volumes/{segment(found.id)}"
    document = session.api.delete(path, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def grow(
    context: typer.Context,
    volume: VolumeArgument,
    size: Annotated[
        int, typer.Argument(min=1, help="How large it is to be, in GiB.", metavar="SIZE")
    ],
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Make a volume larger, also while a server uses it; then grow its file system in the guest."""
    session = session_of(context)
    path = f"/v1/volumes/{segment(volume)}/grow"
    document = session.api.post(path, {"size_gib": size}, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def protect(
    context: typer.Context,
    volume: VolumeArgument,
    off: Annotated[bool, typer.Option("--off", help="Take the protection off.")] = False,
) -> None:
    """Protect a volume against being deleted."""
    session = session_of(context)
    document = session.api.patch(f"/v1/volumes/{segment(volume)}", {"protected": not off})
    tell(session, document, v.VOLUME_UNPROTECTED if off else v.VOLUME_PROTECTED, volume=volume)


@app.command()
def describe(
    context: typer.Context,
    volume: VolumeArgument,
    *,
    name: Annotated[
        str | None, typer.Option(help="What the volume is to be called.", metavar="NAME")
    ] = None,
    description: Description = None,
    label: Label = None,
    dry_run: DryRun = False,
) -> None:
    """Call a volume something else, or write down what it is for; it must hold no secret."""
    session = session_of(context)
    path = f"/v1/volumes/{segment(volume)}"
    body: dict[str, object] = {}
    if name is not None:
        body["name"] = name
    if description is not None:
        body["description"] = description
    if label:
        known = read(VolumeOut, session.api.get(path))
        body["labels"] = with_changes(known.labels, label)
    document = session.api.patch(path, body, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(v.VOLUME_DESCRIBED, volume=read(VolumeOut, document).name)


@app.command()
def delete(
    context: typer.Context,
    volume: VolumeArgument,
    yes: Yes = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a volume with all that is on it, after asking."""
    session = session_of(context)
    path = f"/v1/volumes/{segment(volume)}"
    document = remove_after_asking(
        session, path, v.VOLUME_DELETE_ASK, yes=yes, dry_run=dry_run, volume=volume
    )
    finish(session, document, wait=wait, dry_run=dry_run)

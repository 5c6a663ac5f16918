"""`yui snapshot`: all disks of a server at one point in time."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import volume_messages as v
from control_plane.cli.changes import finish, remove_after_asking
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, TenantFilter, Wait, Yes, confirm_or_abort
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.servers import ServerArgument
from control_plane.cli.session import read, read_all, session_of
from tenants.volumes.models import SnapshotOut

app = typer.Typer(
    no_args_is_help=True, help="Snapshots: all disks of a server at one point in time."
)

SnapshotArgument = Annotated[
    str, typer.Argument(help="The snapshot's name or id.", metavar="SNAPSHOT")
]


@app.command("list")
def list_(
    context: typer.Context,
    server: Annotated[str | None, typer.Option(help="Only those of this server.")] = None,
    tenant: TenantFilter = None,
) -> None:
    """List the snapshots, also of servers that are gone."""
    session = session_of(context)
    if server is None:
        documents = session.api.every("/v1/snapshots", tenant=tenant)
    else:
        documents = session.api.every(f"/v1/servers/{segment(server)}/snapshots")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(SnapshotOut, documents)
    if not found:
        session.screen.note(v.NO_SNAPSHOTS)
        return
    session.screen.table(
        [
            Column(v.NAME),
            Column(v.SNAPSHOT),
            Column(v.SERVER),
            Column(v.SIZE, "right"),
            Column(v.STATUS),
            Column(v.TAKEN),
        ],
        [
            (
                one.name,
                one.id,
                one.server_name,
                str(one.size_gib),
                State(one.status),
                "-" if one.taken_at is None else local_time(one.taken_at.isoformat()),
            )
            for one in found
        ],
    )


@app.command()
def show(context: typer.Context, snapshot: SnapshotArgument) -> None:
    """Show one snapshot with its disks."""
    session = session_of(context)
    document = session.api.get(f"/v1/snapshots/{segment(snapshot)}")
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(SnapshotOut, document)
    disks = ", ".join(f"{disk.volume or one.server} ({disk.size_gib} GiB)" for disk in one.disks)
    session.screen.pairs(
        [
            (v.NAME, one.name),
            (v.SNAPSHOT, one.id),
            (v.SERVER, one.server),
            (v.STATUS, State(one.status)),
            (v.CONSISTENCY, State(one.consistency or "-")),
            (v.SIZE, str(one.size_gib)),
            (v.DISKS, disks),
            (v.TAKEN, "-" if one.taken_at is None else local_time(one.taken_at.isoformat())),
        ]
    )


@app.command()
def create(
    context: typer.Context,
    server: ServerArgument,
    name: Annotated[
        str,
        typer.Argument(help="What the snapshot is to be called.", metavar="NAME"),
    ],
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Take a snapshot of all disks of a server."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/snapshots"
    document = session.api.post(path, {"name": name}, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def restore(
    context: typer.Context,
    snapshot: SnapshotArgument,
    yes: Yes = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Make the disks of the stopped server what they were, after asking: what is on them now is lost."""
    session = session_of(context)
    path = f"/v1/snapshots/{segment(snapshot)}"
    if not dry_run:
        one = read(SnapshotOut, session.api.get(path))
        at = "-" if one.taken_at is None else local_time(one.taken_at.isoformat())
        confirm_or_abort(session, v.RESTORE_ASK, yes=yes, server=one.server_name, at=at)
    document = session.api.post(f"{path}/restore", dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def delete(
    context: typer.Context,
    snapshot: SnapshotArgument,
    yes: Yes = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a snapshot, after asking."""
    session = session_of(context)
    path = f"/v1/snapshots/{segment(snapshot)}"
    document = remove_after_asking(
        session, path, v.SNAPSHOT_DELETE_ASK, yes=yes, dry_run=dry_run, snapshot=snapshot
    )
    finish(session, document, wait=wait, dry_run=dry_run)

"""`yui server-group`: servers that never share a host."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import keypair_messages as k
from control_plane.cli import messages as m
from control_plane.cli.changes import remove_after_asking, tell
from control_plane.cli.client import segment
from control_plane.cli.names import id_among
from control_plane.cli.options import DryRun, TenantFilter, Yes
from control_plane.cli.output import Column, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from tenants.server_groups.models import ServerGroupOut

app = typer.Typer(no_args_is_help=True, help="Server groups: servers that never share a host.")

GroupArgument = Annotated[
    str, typer.Argument(help="The server group's id, or its name.", metavar="GROUP")
]
_PATH = "/v1/server-groups"


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is to be called.", metavar="NAME")],
    dry_run: DryRun = False,
) -> None:
    """Make a server group; servers are put into it when they are made."""
    session = session_of(context)
    document = session.api.post(_PATH, {"name": name}, dry_run=dry_run)
    tell(session, document, k.GROUP_MADE, dry_run=dry_run, group=name)


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None) -> None:
    """List server groups with their servers."""
    session = session_of(context)
    documents = session.api.every(_PATH, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    groups = read_all(ServerGroupOut, documents)
    if not groups:
        session.screen.say(k.NO_GROUPS)
        return
    session.screen.table(
        [Column(head) for head in (m.ID, m.MEMBER, m.NAME, k.SERVERS)],
        [(one.id, one.tenant, one.name, "\n".join(one.servers) or "-") for one in groups],
    )


@app.command()
def show(context: typer.Context, group: GroupArgument) -> None:
    """Show one server group."""
    session = session_of(context)
    document = session.api.get(f"{_PATH}/{segment(_id(session, group))}")
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(ServerGroupOut, document)
    session.screen.pairs(
        [
            (m.ID, one.id),
            (m.MEMBER, one.tenant),
            (m.NAME, one.name),
            (k.SERVERS, "\n".join(one.servers) or "-"),
            (k.MADE_BY, one.made_by),
            (k.MADE, local_time(one.created_at.isoformat())),
        ]
    )


@app.command()
def delete(
    context: typer.Context, group: GroupArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Remove a server group; its servers stay, and may share a host from then on."""
    session = session_of(context)
    path = f"{_PATH}/{segment(_id(session, group))}"
    document = remove_after_asking(
        session, path, k.GROUP_REMOVE_ASK, yes=yes, dry_run=dry_run, group=group
    )
    tell(session, document, k.GROUP_REMOVED, dry_run=dry_run, group=group)


def _id(session: Session, named: str) -> str:
    return id_among(read_all(ServerGroupOut, session.api.every(_PATH)), named)

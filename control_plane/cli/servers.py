"""`yui server`: the machines of the members' systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from control_plane.cli import keypair_messages as k
from control_plane.cli import messages as m
from control_plane.cli.changes import show_rehearsal
from control_plane.cli.client import segment
from control_plane.cli.language import Message
from control_plane.cli.operations import follow, raise_if_failed
from control_plane.cli.options import DryRun, TenantFilter, Wait
from control_plane.cli.output import Column, State, gib, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.journal.models import OperationOut
from tenants.models import ConsoleOut, ServerOut

app = typer.Typer(no_args_is_help=True, help="Servers: look, console, start, stop, migrate.")

ServerArgument = Annotated[str, typer.Argument(help="The server's id.", metavar="SERVER")]


@app.command("list")
def list_(
    context: typer.Context,
    tenant: TenantFilter = None,
    system: Annotated[str | None, typer.Option(help="Only this system.")] = None,
    host: Annotated[str | None, typer.Option(help="Only this host.")] = None,
) -> None:
    """List the servers with their state."""
    session = session_of(context)
    documents = session.api.every("/v1/servers", tenant=tenant, system=system, host=host)
    if session.screen.json:
        session.screen.data(documents)
        return
    servers = read_all(ServerOut, documents)
    if not servers:
        session.screen.note(m.NO_SERVERS)
        return
    session.screen.table(
        [
            Column(m.ID),
            Column(m.NAME),
            Column(m.MEMBER),
            Column(m.ROLE),
            Column(m.STATE),
            Column(m.HOST),
            Column(m.FLAVOR),
            Column(m.ADDRESS),
        ],
        [
            (
                server.id,
                server.name,
                server.tenant,
                server.role,
                State(server.status),
                _where(server),
                server.flavor,
                server.address,
            )
            for server in servers
        ],
    )


@app.command()
def show(context: typer.Context, server: ServerArgument) -> None:
    """Show one server."""
    session = session_of(context)
    document = session.api.get(f"/v1/servers/{segment(server)}")
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(ServerOut, document)
    session.screen.pairs(
        [
            (m.ID, found.id),
            (m.NAME, found.name),
            (m.MEMBER, found.tenant),
            (m.SYSTEM, found.system),
            (m.ROLE, found.role),
            (m.STATE, State(found.status)),
            (m.POWER, State(found.power)),
            (m.HOST, found.host or "-"),
            (m.MOVING_TO, found.moving_to or "-"),
            (m.FLAVOR, found.flavor),
            (m.SIZE, f"{found.size.vcpus} vCPU, {gib(found.size.memory_mib)} GiB"),
            (m.DISK, f"{found.disk_gib} GiB"),
            (m.STORAGE, found.storage or "-"),
            (m.IMAGE, found.image),
            (m.ZONE, found.zone),
            (m.TIER, str(found.tier)),
            (m.ADDRESS, found.address),
            (m.MAC, found.mac),
            (m.GENERATION, str(found.generation)),
            *_more(found),
        ]
    )


def _more(server: ServerOut) -> list[tuple[Message, str]]:
    """What only some servers have."""
    more = []
    if server.keypair is not None:
        more.append((k.KEYPAIR, server.keypair))
    if server.server_group is not None:
        more.append((k.GROUP, server.server_group))
    if (resize := server.unconfirmed_resize) is not None:
        until = local_time(resize.until.isoformat())
        more.append((k.RESIZE_OPEN, f"{resize.before} → {server.flavor} ({until})"))
    return more


@app.command()
def console(context: typer.Context, server: ServerArgument) -> None:
    """Print the end of a server's serial console, without its control characters."""
    session = session_of(context)
    document = session.api.get(f"/v1/servers/{segment(server)}/console")
    if session.screen.json:
        session.screen.data(document)
    else:
        session.screen.line(read(ConsoleOut, document).text.rstrip("\n"))


@app.command()
def stop(
    context: typer.Context, server: ServerArgument, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Ask a server to shut down; its place stays reserved."""
    _change(session_of(context), server, "stop", wait=wait, dry_run=dry_run)


@app.command()
def start(
    context: typer.Context, server: ServerArgument, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Start a stopped server."""
    _change(session_of(context), server, "start", wait=wait, dry_run=dry_run)


@app.command()
def migrate(
    context: typer.Context,
    server: ServerArgument,
    target: Annotated[
        str | None, typer.Option(help="The host to go to. Without it: placement chooses.")
    ] = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Move a running server to another host, keeping every promise."""
    body = None if target is None else {"target": target}
    _change(session_of(context), server, "migrate", body, wait=wait, dry_run=dry_run)


def _change(
    session: Session,
    server: str,
    verb: str,
    body: Mapping[str, object] | None = None,
    *,
    wait: bool,
    dry_run: bool,
) -> None:
    path = f"/v1/servers/{segment(server)}"
    document = session.api.post(f"{path}/{verb}", body, dry_run=dry_run)
    if dry_run:
        show_rehearsal(session, document)
        return
    if wait:
        goes_on = session.screen.text(m.SERVER_GOES_ON, server=server)
        document = follow(session, document, goes_on=goes_on)
    if session.screen.json:
        session.screen.data(document)
    raise_if_failed(session, read(OperationOut, document))
    if not session.screen.json:
        status = read(ServerOut, session.api.get(path)).status
        session.screen.say(m.SERVER_IS, server=server, status=session.screen.state(status))


def _where(server: ServerOut) -> str:
    if server.moving_to:
        return f"{server.host} → {server.moving_to}"
    return server.host or "-"

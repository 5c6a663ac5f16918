"""`yui break-glass`: permissions for an emergency."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.access.models import BreakGlassOut
from control_plane.cli import access_messages as a
from control_plane.cli import messages as m
from control_plane.cli.changes import tell
from control_plane.cli.client import segment
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.session import read, read_all, session_of
from control_plane.model.access import Role
from control_plane.model.identity import MOST_MINUTES
from control_plane.model.tenant import MunicipalityCode

app = typer.Typer(
    no_args_is_help=True, help="Permissions for an emergency, with a reason and an end."
)


@app.command("open")
def open_(
    context: typer.Context,
    *,
    role: Annotated[Role, typer.Option(help="The role to stand in for.")],
    reason: Annotated[
        str, typer.Option(help="Why, in a sentence that everybody concerned will read.")
    ],
    minutes: Annotated[
        int, typer.Option(help="Minutes until it ends by itself.", min=1, max=MOST_MINUTES)
    ],
    tenant: Annotated[
        str | None,
        typer.Option(help="Whose things (municipality code); without it, the consortium's."),
    ] = None,
) -> None:
    """Open permissions beyond your role; everybody concerned is told."""
    session = session_of(context)
    if tenant is not None:
        MunicipalityCode(tenant)
    body: dict[str, object] = {"role": role.value, "reason": reason, "minutes": minutes}
    if tenant is not None:
        body["tenant"] = tenant
    document = session.api.post("/v1/break-glass", body)
    if session.screen.json:
        session.screen.data(document)
        return
    grant = read(BreakGlassOut, document)
    until = local_time(grant.expires_at.isoformat())
    session.screen.say(a.BREAK_GLASS_OPENED, id=grant.id, until=until)


@app.command("list")
def list_(context: typer.Context) -> None:
    """List what is open and what was."""
    session = session_of(context)
    documents = session.api.every("/v1/break-glass")
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [
            Column(m.ID),
            Column(m.STATE),
            Column(a.OPENED_BY),
            Column(m.MEMBER),
            Column(m.EXPIRES),
            Column(a.REASON),
        ],
        [
            (
                one.id,
                State(one.state),
                one.label,
                one.tenant or "-",
                local_time((one.closed_at or one.expires_at).isoformat()),
                one.reason,
            )
            for one in read_all(BreakGlassOut, documents)
        ],
    )


@app.command()
def close(
    context: typer.Context,
    grant: Annotated[str, typer.Argument(help="The break-glass's id.", metavar="ID")],
) -> None:
    """End it before its time."""
    session = session_of(context)
    document = session.api.post(f"/v1/break-glass/{segment(grant)}/close")
    tell(session, document, a.BREAK_GLASS_CLOSED, id=grant)

"""`yui blueprint`: the standard business systems that a member can run."""

from __future__ import annotations

import typer

from control_plane.cli import messages as m
from control_plane.cli.output import Column
from control_plane.cli.session import read_all, session_of
from tenants.models import BlueprintOut

app = typer.Typer(no_args_is_help=True, help="Standard business systems of the catalogue.")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the catalogue."""
    session = session_of(context)
    documents = session.api.every("/v1/blueprints")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(BlueprintOut, documents)
    if not found:
        session.screen.note(m.NO_BLUEPRINTS)
        return
    session.screen.table(
        [
            Column(m.BLUEPRINT),
            Column(m.VERSION, "right"),
            Column(m.NAME),
            Column(m.TIER, "right"),
            Column(m.ZONE),
            Column(m.ROLE),
        ],
        [
            (
                one.id,
                str(one.version),
                session.sentence(one.name_en, one.name_ja),
                str(one.tier),
                one.zone,
                ", ".join(server.role for server in one.servers),
            )
            for one in found
        ],
    )

"""`yui system show, add, delete`: systems of members that exist."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import lifecycle_messages as lm
from control_plane.cli import messages as m
from control_plane.cli.changes import finish, remove_after_asking
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, Wait, Yes
from control_plane.cli.output import State
from control_plane.cli.session import read, session_of
from control_plane.cli.systems import app
from tenants.models import SystemOut

__all__ = ["app"]

SystemArgument = Annotated[str, typer.Argument(help="The system's id.", metavar="SYSTEM")]


@app.command()
def show(context: typer.Context, system: SystemArgument) -> None:
    """Show one system."""
    session = session_of(context)
    document = session.api.get(f"/v1/systems/{segment(system)}")
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(SystemOut, document)
    session.screen.pairs(
        [
            (m.SYSTEM, found.id),
            (m.MEMBER, found.tenant),
            (m.NAME, session.sentence(found.name_en, found.name_ja)),
            (m.REGION, found.region),
            (lm.BLUEPRINT, found.blueprint),
            (m.TIER, str(found.tier)),
            (m.ZONE, found.zone),
            (m.STATE, State(found.state)),
            (m.RUNNING, f"{found.running}/{found.servers}"),
        ]
    )


@app.command()
def add(
    context: typer.Context,
    *,
    blueprint: Annotated[
        str | None, typer.Option(help="A blueprint of the catalogue, with all its servers.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name of a system of your own, without servers yet.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Its zone: mynumber, lgwan or internet.")] = None,
    tier: Annotated[
        int | None, typer.Option(min=1, max=99, help="When it comes back after a failure, 1 first.")
    ] = None,
    member: Annotated[
        str | None, typer.Option(help="For which member (municipality code), for operators.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="In which region. Without it: the one that serves the member."),
    ] = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Add a system to a member: from a blueprint, or one of its own."""
    session = session_of(context)
    given = {
        "blueprint": blueprint,
        "name": name,
        "zone": zone,
        "tier": tier,
        "tenant": member,
        "region": region,
    }
    body = {key: value for key, value in given.items() if value is not None}
    document = session.api.post("/v1/systems", body, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def delete(
    context: typer.Context,
    system: SystemArgument,
    yes: Yes = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a system with all its servers and their disks, after asking."""
    session = session_of(context)
    path = f"/v1/systems/{segment(system)}"
    document = remove_after_asking(
        session, path, lm.SYSTEM_DELETE_ASK, yes=yes, dry_run=dry_run, system=system
    )
    finish(session, document, wait=wait, dry_run=dry_run)

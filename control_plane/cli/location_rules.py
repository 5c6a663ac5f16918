"""`yui location-rule`: where a member's copies may lie."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from backup.api.place_models import LocationRuleOut
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_figures import at
from control_plane.cli.changes import shown
from control_plane.cli.client import segment
from control_plane.cli.members import Code
from control_plane.cli.options import DryRun
from control_plane.cli.session import Session, read, session_of

app = typer.Typer(no_args_is_help=True, help="Where members' copies may lie.")


@app.command()
def show(context: typer.Context, code: Code) -> None:
    """Show where a member's copies may lie, and what says so."""
    session = session_of(context)
    _show(session, session.api.get(_path(code)))


@app.command("set")
def set_(
    context: typer.Context,
    code: Code,
    *,
    basis: Annotated[str, typer.Option(help="The ordinance or approval that says so.")],
    decided_on: Annotated[
        datetime, typer.Option(help="When that was decided.", formats=["%Y-%m-%d"])
    ],
    prefecture: Annotated[
        list[str] | None,
        typer.Option(help="Copies may lie in this prefecture (several times for several)."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Copies may lie in this region (several times for several)."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Record where a member's copies may lie; what lies elsewhere goes."""
    session = session_of(context)
    wanted = {
        "prefectures": prefecture or [],
        "regions": region or [],
        "basis": basis,
        "decided_on": decided_on.date().isoformat(),
    }
    document = session.api.put(_path(code), wanted, dry_run=dry_run)
    _show(session, document, dry_run=dry_run)


@app.command()
def clear(context: typer.Context, code: Code, dry_run: DryRun = False) -> None:
    """Let a member's copies lie anywhere in the pool."""
    session = session_of(context)
    document = session.api.delete(_path(code), dry_run=dry_run)
    _show(session, document, dry_run=dry_run)


def _path(code: str) -> str:
    return f"/v1/members/{segment(code)}/location-rule"


def _show(session: Session, document: Any, *, dry_run: bool = False) -> None:
    if shown(session, document, dry_run=dry_run):
        return
    one = read(LocationRuleOut, document)
    if one.basis is None:
        session.screen.say(b.RULE_NONE, code=one.tenant)
        return
    session.screen.pairs(
        [
            (b.MEMBER, one.tenant),
            (b.PREFECTURES, ", ".join(one.prefectures) or "-"),
            (b.REGIONS, ", ".join(one.regions) or "-"),
            (b.BASIS, one.basis),
            (b.DECIDED, "-" if one.decided_on is None else one.decided_on.isoformat()),
            (b.RECORDED, f"{one.recorded_by} ({at(one.recorded_at)})"),
        ]
    )

"""`yui disaster`: whatever was taken near a date stays."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from backup.api.place_models import DisasterOut
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_figures import at
from control_plane.cli.changes import shown, tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, Yes, confirm_or_abort
from control_plane.cli.output import Column, State
from control_plane.cli.session import read, read_all, session_of
from control_plane.model.hours import JAPAN

app = typer.Typer(
    no_args_is_help=True, help="Declared disasters: no recovery point near them goes."
)

Why = Annotated[str, typer.Option(help="Why, in one sentence; it is kept.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the declared disasters."""
    session = session_of(context)
    documents = session.api.every("/v1/disasters")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(DisasterOut, documents)
    if not found:
        session.screen.note(b.NO_DISASTERS)
        return
    session.screen.table(
        [
            Column(b.DISASTER),
            Column(b.AROUND),
            Column(b.SPAN),
            Column(b.CONCERNS),
            Column(b.STATE),
            Column(b.REASON),
        ],
        [
            (
                one.id,
                at(one.around),
                f"{one.days_before:g} / {one.days_after:g}",
                ", ".join([*([one.region] if one.region else []), *one.tenants])
                or session.screen.text(b.EVERYBODY),
                State("in-effect" if one.revoked_at is None else "revoked"),
                one.reason,
            )
            for one in found
        ],
    )


@app.command()
def declare(
    context: typer.Context,
    *,
    around: Annotated[
        datetime,
        typer.Option(
            help="When it struck, by Japan's clock.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
        ),
    ],
    reason: Why,
    days_before: Annotated[
        int, typer.Option(min=0, help="Keep what was taken so many days before it.")
    ] = 3,
    days_after: Annotated[
        int, typer.Option(min=0, help="Keep what was taken so many days after it.")
    ] = 3,
    region: Annotated[str | None, typer.Option(help="Only systems in this region.")] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="Only this member (several times for several)."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Keep every recovery point near a date until this is revoked."""
    session = session_of(context)
    given: dict[str, object] = {
        "around": around.replace(tzinfo=JAPAN).isoformat(),
        "reason": reason,
        "days_before": days_before,
        "days_after": days_after,
        "region": region,
        "tenants": tenant,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    document = session.api.post("/v1/disasters", wanted, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(b.DECLARED, disaster=read(DisasterOut, document).id)


@app.command()
def revoke(
    context: typer.Context,
    disaster: Annotated[str, typer.Argument(help="The declaration's id.", metavar="DISASTER")],
    *,
    reason: Why,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Let policies decide again what stays, after asking."""
    session = session_of(context)
    confirm_or_abort(session, b.REVOKE_ASK, yes=yes or dry_run, disaster=disaster)
    path = f"/v1/disasters/{segment(disaster)}/revoke"
    document = session.api.post(path, {"reason": reason}, dry_run=dry_run)
    tell(session, document, b.REVOKED, dry_run=dry_run, disaster=disaster)

"""Options that several commands share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from control_plane.cli import messages
from control_plane.cli.language import Message
from control_plane.cli.session import Session
from control_plane.model.errors import YuiError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for a confirmation.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is done.")]
RegionFilter = Annotated[str | None, typer.Option("--region", help="Only this region.")]
TenantFilter = Annotated[
    str | None, typer.Option("--tenant", help="Only this member (municipality code).")
]


def confirm(session: Session, question: Message, *, yes: bool, **values: object) -> bool:
    """Asks a person; a program must have said --yes. Raises YuiError `confirmation-needed`."""
    if yes:
        return True
    require_person(session)
    return typer.confirm(session.screen.text(question, **values), default=False, err=True)


def confirm_or_abort(session: Session, question: Message, *, yes: bool, **values: object) -> None:
    """As `confirm`. Raises Abort where the person says no."""
    if not confirm(session, question, yes=yes, **values):
        raise typer.Abort


def require_person(session: Session) -> None:
    """Raises YuiError `confirmation-needed` where nobody can answer a question."""
    if session.screen.json or not sys.stdin.isatty():
        raise YuiError("confirmation-needed", en=messages.NEEDS_YES.en, ja=messages.NEEDS_YES.ja)

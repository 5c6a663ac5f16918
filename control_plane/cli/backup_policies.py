"""`yui backup policy`: how a system is backed up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backup.api.models import CopyIn, DumpIn, PolicyOut
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_figures import at, place_word
from control_plane.cli.backup_points import SystemArgument
from control_plane.cli.backups import app as backups
from control_plane.cli.changes import shown
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun
from control_plane.cli.session import Session, read, session_of
from control_plane.model.backup.policy import BackupInterval
from control_plane.model.backup.policy_document import policy_document
from control_plane.model.hours import Weekday
from tenants.backup_policy_file import read_policy

app = backups
policies = typer.Typer(no_args_is_help=True, help="How systems are backed up.")
app.add_typer(policies, name="policy")

__all__ = ["app"]


@policies.command()
def show(context: typer.Context, system: SystemArgument) -> None:
    """Show how a system is backed up, and what of that can't be kept."""
    session = session_of(context)
    document = session.api.get(_path(system))
    if session.screen.json:
        session.screen.data(document)
    else:
        _show(session, read(PolicyOut, document))


@policies.command("set")
def set_(
    context: typer.Context,
    system: SystemArgument,
    file: Annotated[
        Path, typer.Argument(help="The policy (YAML), as in examples/backup.", metavar="FILE")
    ],
    dry_run: DryRun = False,
) -> None:
    """Give a system a policy of its own, from a file."""
    session = session_of(context)
    document = session.api.put(_path(system), policy_document(read_policy(file)), dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(b.POLICY_SET, system=system)
        _show(session, read(PolicyOut, document))


@policies.command()
def reset(context: typer.Context, system: SystemArgument, dry_run: DryRun = False) -> None:
    """Let the blueprint's policy hold again."""
    session = session_of(context)
    document = session.api.delete(_path(system), dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(b.POLICY_RESET, system=system)
        _show(session, read(PolicyOut, document))


def _path(system: str) -> str:
    return f"/v1/systems/{segment(system)}/backup-policy"


def _show(session: Session, found: PolicyOut) -> None:
    policy, text = found.policy, session.screen.text
    away, days = policy.rpo_away_hours, policy.test_every_days
    of = (
        text(b.OF_BLUEPRINT)
        if found.of == "blueprint"
        else text(b.OF_SYSTEM, by=found.set_by, at=at(found.set_at))
    )
    session.screen.pairs(
        [
            (b.OF, of),
            (b.OBJECTIVE, text(b.HOURS, hours=policy.rpo_hours)),
            (b.OBJECTIVE_AWAY, "-" if away is None else text(b.HOURS, hours=away)),
            (b.COPIES, "\n".join(_copy(session, copy, found) for copy in policy.copies)),
            (b.DUMPS, "\n".join(_dump(session, each) for each in policy.dumps) or "-"),
            (b.TESTED, text(b.NEVER) if days is None else text(b.DAYS, days=days)),
            (b.NEXT, at(found.next_at)),
        ]
    )
    if found.refusals:
        session.screen.say(b.CANT_BE_KEPT)
        for refusal in found.refusals:
            session.screen.line(session.sentence(refusal["en"], refusal["ja"]))


def _dump(session: Session, dump: DumpIn) -> str:
    text = session.screen.text
    said = text(
        b.DUMPED,
        role=dump.role,
        before=dump.before,
        minutes=dump.timeout_minutes,
        required="" if dump.required else text(b.DUMP_OPTIONAL),
    )
    return said if dump.after is None else said + text(b.DUMP_AFTER, after=dump.after)


def _copy(session: Session, copy: CopyIn, found: PolicyOut) -> str:
    text = session.screen.text
    match copy.every:
        case BackupInterval.WEEK:
            when = text(b.WEEKDAYS[(copy.weekday or Weekday.SUN).value])
        case BackupInterval.YEAR:
            when = f"{copy.month or 4}/{copy.day or 1}"
        case _:
            when = str(copy.day or 1)
    places = [
        place_word(session, place)
        + (f" ({found.repositories[place]})" if place in found.repositories else "")
        for place in copy.places
    ]
    begins = "" if copy.at is None else f" {copy.at}"
    ends = "" if copy.until is None else f"–{copy.until}"
    return text(
        b.COPY,
        every=text(b.EVERY[copy.every.value], when=when),
        at=begins + ends,
        generations=copy.generations,
        places=session.sentence(", ", "・").join(places),
    )

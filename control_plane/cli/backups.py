"""`yui backup now, restore, tests` and what belongs to them: recovery points taken, tried, and gone back to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from backup.api.models import (
    FindingOut,
    ForecastOut,
    RestoreOut,
    RestoreTestOut,
    WholePointOut,
)
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_choice import point_before
from control_plane.cli.backup_figures import at, gigabytes
from control_plane.cli.backup_points import SystemArgument, SystemFilter, app
from control_plane.cli.changes import finish, shown, tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, TenantFilter, Wait, Yes, confirm_or_abort
from control_plane.cli.output import Column, State
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.backup.work import RestoreTo

__all__ = ["app"]


@app.command()
def now(
    context: typer.Context,
    system: SystemArgument,
    *,
    keep_days: Annotated[
        int, typer.Option(min=1, help="For how many days it stays whatever the policy says.")
    ] = 30,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Take a recovery point of a system now, apart from its schedule."""
    session = session_of(context)
    path = f"/v1/systems/{segment(system)}/backups"
    document = session.api.post(path, {"keep_days": keep_days}, dry_run=dry_run)
    _finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def restore(
    context: typer.Context,
    point: Annotated[
        str,
        typer.Argument(help="The recovery point's id; with --at, the system's.", metavar="POINT"),
    ],
    *,
    when: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="The system as it was then, by Japan's clock: 2026-11-20T14:46, or a day's end.",
            metavar="TIME",
        ),
    ] = None,
    to: Annotated[RestoreTo, typer.Option(help="Where to restore it.")],
    server: Annotated[
        list[str] | None, typer.Option(help="Only this server (several times for several).")
    ] = None,
    disk: Annotated[
        list[str] | None, typer.Option(help="Only this disk: root, or a volume's id.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Which region, with --to region.")] = None,
    name: Annotated[str | None, typer.Option(help="What the new system is to be called.")] = None,
    format: Annotated[
        Literal["qcow2", "raw"] | None, typer.Option(help="Of files, with --to file.")
    ] = None,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start the servers once they can.")
    ] = True,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="Start them before their disks are copied, which goes on meanwhile."
        ),
    ] = False,
    yes: Yes = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Restore a recovery point, or some of it; in place after asking."""
    session = session_of(context)
    if when is not None:
        chosen = point_before(session, point, when)
        taken = at(chosen.taken_at)
        session.screen.note(b.POINT_CHOSEN, point=chosen.id, taken=taken, system=point)
        point = chosen.id
    if to is RestoreTo.IN_PLACE and not dry_run:
        found = read(WholePointOut, session.api.get(f"/v1/recovery-points/{segment(point)}"))
        confirm_or_abort(session, b.RESTORE_ASK, yes=yes, point=point, system=found.system_name)
    given: dict[str, object] = {
        "to": to.value,
        "servers": server or None,
        "disks": disk or None,
        "region": region,
        "name": name,
        "format": format,
        "start": start,
        "at_once": at_once or None,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    path = f"/v1/recovery-points/{segment(point)}/restore"
    document = session.api.post(path, wanted, dry_run=dry_run)
    _finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def restores(
    context: typer.Context, system: SystemFilter = None, tenant: TenantFilter = None
) -> None:
    """List what was asked to be restored, and how far that is."""
    session = session_of(context)
    documents = session.api.every("/v1/restores", system=system, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(RestoreOut, documents)
    if not found:
        session.screen.note(b.NO_RESTORES)
        return
    session.screen.table(
        [
            Column(b.RESTORE),
            Column(b.POINT),
            Column(b.TO),
            Column(b.STATE),
            Column(b.PROGRESS, "right"),
            Column(b.MADE),
            Column(b.TROUBLE),
        ],
        [
            (
                one.id,
                one.point,
                one.to,
                State(one.state),
                _progress(one),
                one.made or "-",
                session.sentence(one.trouble_en or "-", one.trouble_ja or "-"),
            )
            for one in found
        ],
    )


def _progress(one: RestoreOut) -> str:
    if one.done_bytes is None:
        return "-"
    if not one.total_bytes:
        return gigabytes(one.done_bytes)
    return f"{gigabytes(one.done_bytes)} ({one.done_bytes * 100 // one.total_bytes} %)"


@app.command("cancel-restore")
def cancel_restore(
    context: typer.Context,
    restore_id: Annotated[str, typer.Argument(help="The restore's id.", metavar="RESTORE")],
) -> None:
    """Take a restore back that has not begun."""
    session = session_of(context)
    document = session.api.post(f"/v1/restores/{segment(restore_id)}/cancel")
    tell(session, document, b.RESTORE_CANCELLED, restore=restore_id)


@app.command("tests")
def tried(context: typer.Context, system: SystemFilter = None, tenant: TenantFilter = None) -> None:
    """List when restores were tried in isolation, and whether they were proven."""
    session = session_of(context)
    documents = session.api.every("/v1/restore-tests", system=system, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(RestoreTestOut, documents)
    if not found:
        session.screen.note(b.NO_TESTS)
        return
    session.screen.table(
        [
            Column(b.SYSTEM),
            Column(b.POINT),
            Column(b.TAKEN),
            Column(b.PASSED),
            Column(b.TOOK, "right"),
            Column(b.ANSWERED),
            Column(b.TROUBLE),
        ],
        [
            (
                one.system,
                one.point,
                at(one.began_at),
                State("yes" if one.passed else "no"),
                f"{one.seconds:.0f}",
                "\n".join(
                    f"{each.server} {each.by}"
                    if each.seconds is None
                    else f"{each.server} {each.by} {each.seconds:.0f} s"
                    for each in one.servers
                    if each.seconds is not None or each.by == "untested"
                )
                or "-",
                session.sentence(one.trouble_en or "-", one.trouble_ja or "-"),
            )
            for one in found
        ],
    )


@app.command()
def damage(
    context: typer.Context,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only what nothing has healed.")
    ] = False,
) -> None:
    """List what was found damaged in repositories, and what became of it."""
    session = session_of(context)
    documents = session.api.every("/v1/scrub-findings", open_only=open_only or None)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(FindingOut, documents)
    if not found:
        session.screen.note(b.NO_DAMAGE)
        return
    session.screen.table(
        [Column(b.LIES_IN), Column(b.MEMBER), Column(b.STATE), Column(b.TAKEN), Column(b.TROUBLE)],
        [
            (one.repository, one.tenant, State(one.state), at(one.found_at), one.what)
            for one in found
        ],
    )


@app.command()
def forecast(
    context: typer.Context,
    system: SystemArgument,
    repository: Annotated[str, typer.Argument(help="Where it goes.", metavar="REPOSITORY")],
) -> None:
    """Say how long a system's copy takes to a repository, or what is left of it."""
    session = session_of(context)
    path = f"/v1/systems/{segment(system)}/backup-forecast"
    document = session.api.get(path, repository=repository)
    if session.screen.json:
        session.screen.data(document)
        return
    told = read(ForecastOut, document)
    session.screen.line(session.sentence(told.en, told.ja))


def _finish(session: Session, document: Any, *, wait: bool, dry_run: bool) -> None:
    """No backup takes capacity of hosts: its rehearsal tells no more than what would change."""
    if dry_run:
        shown(session, document, dry_run=True)
    else:
        finish(session, document, wait=wait, dry_run=False)

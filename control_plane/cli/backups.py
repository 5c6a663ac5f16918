"""`yui backup`: recovery points, how far they are, and back from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from backup.api.models import (
    FindingOut,
    ForecastOut,
    PointOut,
    RestoreOut,
    RestoreTestOut,
    ServerPointOut,
    StatusOut,
    WholePointOut,
)
from backup.api.plan import BackupPlan
from control_plane.cli import backup_messages as b
from control_plane.cli.catalogue_messages import BACKUP_PLACES
from control_plane.cli.changes import finish, show_difference
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, TenantFilter, Wait, Yes, confirm
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.pull_messages import AT_MEMBER
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.backup.work import RestoreTo

app = typer.Typer(no_args_is_help=True, help="Backups: recovery points, and back from them.")

SystemArgument = Annotated[str, typer.Argument(help="The system's id.", metavar="SYSTEM")]
PointArgument = Annotated[str, typer.Argument(help="The recovery point's id.", metavar="POINT")]
SystemFilter = Annotated[str | None, typer.Option("--system", help="Only this system.")]


@app.command()
def status(
    context: typer.Context, system: SystemFilter = None, tenant: TenantFilter = None
) -> None:
    """How far each system's backups are, and what is not as its policy says."""
    session = session_of(context)
    documents = session.api.every("/v1/backup-status", system=system, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(StatusOut, documents)
    if not found:
        session.screen.note(b.NO_SYSTEMS)
        return
    session.screen.table(
        [
            Column(b.SYSTEM),
            *(Column(each, "right") for each in (b.NEWEST, b.WANTED, b.AWAY)),
            *(Column(each) for each in (AT_MEMBER, b.PROVEN, b.NEXT, b.WRONG)),
        ],
        [
            (
                one.system,
                _figure(one.lag_hours),
                str(one.rpo_hours),
                _figure(one.lag_away_hours),
                at(one.member_copy_at),
                at(one.proven_at),
                at(one.next_at),
                "\n".join(session.sentence(w.en, w.ja) for w in one.breaches) or "-",
            )
            for one in found
        ],
    )
    if not any(one.breaches for one in found):
        session.screen.say(b.ALL_WELL, count=len(found))


@app.command("list")
def list_(
    context: typer.Context,
    system: SystemFilter = None,
    tenant: TenantFilter = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what was abandoned, and what has expired.")
    ] = False,
) -> None:
    """List the recovery points, the oldest first."""
    session = session_of(context)
    documents = session.api.every(
        "/v1/recovery-points", system=system, tenant=tenant, every=every or None
    )
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(PointOut, documents)
    if not found:
        session.screen.note(b.NO_POINTS)
        return
    session.screen.table(
        [
            Column(b.POINT),
            Column(b.SYSTEM),
            Column(b.TAKEN),
            Column(b.STATE),
            Column(b.SIZE, "right"),
            Column(b.LIES_IN),
            Column(b.PROVEN),
        ],
        [
            (
                one.id,
                one.system,
                at(one.taken_at),
                State(one.state),
                _gigabytes(one.bytes),
                ", ".join(c.repository for c in one.copies if c.state == "held") or "-",
                at(one.proven_at),
            )
            for one in found
        ],
    )


@app.command()
def show(context: typer.Context, point: PointArgument) -> None:
    """Show one recovery point: sizes, where it lies, and why it stays."""
    session = session_of(context)
    document = session.api.get(f"/v1/recovery-points/{segment(point)}")
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(WholePointOut, document)
    session.screen.pairs(
        [
            (b.POINT, one.id),
            (b.SYSTEM, f"{one.system_name} ({one.system})"),
            (b.TAKEN, at(one.taken_at)),
            (b.STATE, State(one.state)),
            (b.SIZE, _gigabytes(one.bytes)),
            (b.PROVEN, at(one.proven_at)),
            (b.KEPT_UNTIL, at(one.keep_until)),
            (b.KEPT, "\n".join(dict.fromkeys(_why(session, each) for each in one.kept)) or "-"),
        ]
    )
    session.screen.table(
        [Column(b.LIES_IN), Column(b.PLACE), Column(b.STATE), Column(b.TAKEN)],
        [
            (c.repository, place_word(session, c.place), State(c.state), at(c.since))
            for c in one.copies
        ],
    )
    session.screen.table(
        [Column(b.SERVER), Column(b.CONSISTENCY), Column(b.DUMP), Column(b.DISKS)],
        [
            (
                each.name,
                State(each.consistency),
                _dump(session, each),
                ", ".join(f"{disk.name} ({_gigabytes(disk.bytes)} GB)" for disk in each.disks),
            )
            for each in one.servers
        ],
    )
    for each in one.servers:
        for hook in each.hooks:
            session.screen.line(session.sentence(hook.en, hook.ja))


def _dump(session: Session, server: ServerPointOut) -> str:
    if server.lacks_dump:
        return session.screen.text(b.DUMP_FAILED)
    written = any(hook.before and hook.end == "done" for hook in server.hooks)
    return session.screen.text(b.DUMP_WRITTEN) if written else "-"


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
    finish_or_show(session, document, wait=wait, dry_run=dry_run)


@app.command()
def restore(
    context: typer.Context,
    point: PointArgument,
    *,
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
    if to is RestoreTo.IN_PLACE and not dry_run:
        found = read(WholePointOut, session.api.get(f"/v1/recovery-points/{segment(point)}"))
        if not confirm(session, b.RESTORE_ASK, yes=yes, point=point, system=found.system_name):
            raise typer.Abort
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
    finish_or_show(session, document, wait=wait, dry_run=dry_run)


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
        return _gigabytes(one.done_bytes)
    return f"{_gigabytes(one.done_bytes)} ({one.done_bytes * 100 // one.total_bytes} %)"


@app.command("cancel-restore")
def cancel_restore(
    context: typer.Context,
    restore_id: Annotated[str, typer.Argument(help="The restore's id.", metavar="RESTORE")],
) -> None:
    """Take a restore back that has not begun."""
    session = session_of(context)
    document = session.api.post(f"/v1/restores/{segment(restore_id)}/cancel")
    if session.screen.json:
        session.screen.data(document)
    else:
        session.screen.say(b.RESTORE_CANCELLED, restore=restore_id)


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
    """Say how long a first copy of a system takes to a repository."""
    session = session_of(context)
    path = f"/v1/systems/{segment(system)}/backup-forecast"
    document = session.api.get(path, repository=repository)
    if session.screen.json:
        session.screen.data(document)
        return
    told = read(ForecastOut, document)
    session.screen.line(session.sentence(told.en, told.ja))


def finish_or_show(session: Session, document: Any, *, wait: bool, dry_run: bool) -> None:
    if dry_run:
        show_plan(session, document)
    else:
        finish(session, document, wait=wait, dry_run=False)


def show_plan(session: Session, document: Any) -> None:
    """What a rehearsal about backups answers."""
    if session.screen.json:
        session.screen.data(document)
        return
    planned = read(BackupPlan, document)
    show_difference(session, planned.diff)
    for warning in planned.warnings:
        session.screen.line(session.sentence(warning["en"], warning["ja"]))


def at(moment: datetime | None) -> str:
    return "-" if moment is None else local_time(moment.isoformat())


def place_word(session: Session, place: str | None) -> str:
    known = None if place is None else BACKUP_PLACES.get(place)
    return place or "-" if known is None else session.screen.text(known)


def _why(session: Session, reason: Mapping[str, str | None]) -> str:
    known = b.WHY_KEPT.get(reason["why"] or "")
    if known is None:
        return reason["why"] or "-"
    place = place_word(session, reason["place"])
    return session.screen.text(known, copy=reason["copy"] or "-", place=place)


def _figure(hours: float | None) -> str:
    return "-" if hours is None else f"{hours:.1f}"


def _gigabytes(amount: int) -> str:
    return f"{amount / 10**9:.1f}"

"""`yui backup status, list, show`: which recovery points there are, and how far they keep what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from backup.api.models import (
    PointOut,
    ServerPointOut,
    StatusOut,
    WholePointOut,
)
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_figures import at, gigabytes, hours, place_word
from control_plane.cli.client import segment
from control_plane.cli.options import TenantFilter
from control_plane.cli.output import Column, State
from control_plane.cli.pull_messages import AT_MEMBER
from control_plane.cli.session import Session, read, read_all, session_of

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
                hours(one.lag_hours),
                str(one.rpo_hours),
                hours(one.lag_away_hours),
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
                gigabytes(one.bytes),
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
            (b.SIZE, gigabytes(one.bytes)),
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
                ", ".join(f"{disk.name} ({gigabytes(disk.bytes)} GB)" for disk in each.disks),
            )
            for each in one.servers
        ],
    )
    for each in one.servers:
        for hook in each.hooks:
            session.screen.line(session.sentence(hook.en, hook.ja))


def _why(session: Session, reason: Mapping[str, str | None]) -> str:
    known = b.WHY_KEPT.get(reason["why"] or "")
    if known is None:
        return reason["why"] or "-"
    place = place_word(session, reason["place"])
    return session.screen.text(known, copy=reason["copy"] or "-", place=place)


def _dump(session: Session, server: ServerPointOut) -> str:
    if server.lacks_dump:
        return session.screen.text(b.DUMP_FAILED)
    written = any(hook.before and hook.end == "done" for hook in server.hooks)
    return session.screen.text(b.DUMP_WRITTEN) if written else "-"

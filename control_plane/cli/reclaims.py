"""`yui quota reclaim, notices, carry-out, withdraw`: lent room is asked back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import capacity_messages as c
from control_plane.cli import messages as m
from control_plane.cli import reclaim_messages as r
from control_plane.cli.changes import show_plan, tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, RegionFilter, Yes, confirm_or_abort
from control_plane.cli.output import Column, State, gib
from control_plane.cli.quotas import app
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.tenant import MunicipalityCode
from tenants.reclaim_models import NoticeOut, ReclaimOut, ReclaimRehearsal, Room

__all__ = ["app"]

Id = Annotated[str, typer.Argument(help="The notice's id, such as rc-….", metavar="NOTICE")]


@app.command()
def reclaim(
    context: typer.Context,
    region: Annotated[str, typer.Argument(help="The region.", metavar="REGION")],
    *,
    vcpus: Annotated[int, typer.Option(help="vCPU that are needed.", min=0)] = 0,
    memory: Annotated[int, typer.Option(help="Memory that is needed, in GiB.", min=0)] = 0,
    member: Annotated[
        str | None,
        typer.Option("--for", help="The member whose guarantee lacks room (municipality code)."),
    ] = None,
    word: Annotated[
        str | None,
        typer.Option(
            "--even-protected",
            help="Name servers of tier 0 and protected ones too: an operator's reason.",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Ask members for room back that they have borrowed, with notice."""
    session = session_of(context)
    body: dict[str, Any] = {"vcpus": vcpus, "memory_mib": 1024 * memory}
    if member is not None:
        MunicipalityCode(member)
        body["tenant"] = member
    if word is not None:
        body["word"] = word
    path = f"/v1/regions/{segment(region)}/reclaims"
    document = session.api.post(path, body, dry_run=dry_run)
    if session.screen.json:
        session.screen.data(document)
    elif dry_run:
        plan = read(ReclaimRehearsal, document)
        _show_notices(session, plan.notices)
        session.screen.say(r.WOULD_END, at=f"{plan.ends_at:%Y-%m-%d %H:%M}")
        show_plan(session, plan)
    else:
        asked = read(ReclaimOut, document)
        _show_notices(session, asked.notices)
        session.screen.say(r.ASKED, id=asked.id, at=f"{asked.ends_at:%Y-%m-%d %H:%M}")


@app.command()
def notices(context: typer.Context, region: RegionFilter = None) -> None:
    """List what is to be given back by whom and by when, and what came of it."""
    session = session_of(context)
    documents = session.api.every("/v1/reclaims", region=region)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(ReclaimOut, documents)
    if not found:
        session.screen.note(r.NO_NOTICES)
        return
    session.screen.table(
        [
            Column(m.ID),
            Column(m.REGION),
            Column(m.STATE),
            Column(r.UNTIL),
            Column(m.MEMBER),
            Column(r.GIVE_BACK),
            Column(r.SERVERS),
        ],
        [
            (
                one.id,
                one.region,
                State(one.state),
                f"{one.ends_at:%Y-%m-%d %H:%M}",
                notice.tenant,
                _amount(notice.give_back),
                ", ".join(notice.servers),
            )
            for one in found
            for notice in one.notices
        ],
    )


@app.command("carry-out")
def carry_out(context: typer.Context, notice: Id, yes: Yes = False) -> None:
    """Shelve what was not given back, once the notice has ended."""
    session = session_of(context)
    confirm_or_abort(session, r.CARRY_OUT_ASK, yes=yes, id=notice)
    _end(session, notice, "carry-out", r.CARRIED_OUT)


@app.command()
def withdraw(context: typer.Context, notice: Id) -> None:
    """Let borrowers keep what they were asked to give back."""
    _end(session_of(context), notice, "withdraw", r.WITHDRAWN)


def _end(session: Session, notice: str, verb: str, said: Any) -> None:
    document = session.api.post(f"/v1/reclaims/{segment(notice)}/{verb}")
    tell(session, document, said, id=notice)


def _show_notices(session: Session, found: list[NoticeOut]) -> None:
    session.screen.table(
        [Column(m.MEMBER), Column(r.GIVE_BACK), Column(r.MAY_USE), Column(r.SERVERS)],
        [
            (one.tenant, _amount(one.give_back), _amount(one.may_use), ", ".join(one.servers))
            for one in found
        ],
    )


def _amount(room: Room) -> str:
    return f"{room.vcpus:,} {c.VCPU.en}, {gib(room.memory_mib)} GiB"

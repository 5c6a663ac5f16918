"""`yui member`: the municipalities that share the pool."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli.blueprints import warn_of_lacks
from control_plane.cli.operations import follow, raise_if_failed
from control_plane.cli.options import DryRun, Wait
from control_plane.cli.output import Column
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.journal.models import OperationOut
from control_plane.model.tenant import MunicipalityCode
from tenants.blueprint_models import BlueprintOut
from tenants.models import JoinPlan, MemberOut

app = typer.Typer(no_args_is_help=True, help="Member municipalities.")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the members."""
    session = session_of(context)
    documents = session.api.every("/v1/members")
    if session.screen.json:
        session.screen.data(documents)
        return
    members = read_all(MemberOut, documents)
    if not members:
        session.screen.note(m.NO_MEMBERS)
        return
    session.screen.table(
        [
            Column(m.CODE),
            Column(m.NAME),
            Column(m.KANA),
            Column(m.PREFECTURE),
            Column(m.POPULATION, "right"),
            Column(m.BAND),
        ],
        [
            (
                member.code,
                member.name,
                member.kana,
                member.prefecture,
                f"{member.population:,}",
                member.band,
            )
            for member in members
        ],
    )


@app.command()
def join(
    context: typer.Context,
    code: Annotated[
        str, typer.Argument(help="Six-digit municipality code, such as 012220.", metavar="CODE")
    ],
    *,
    blueprint: Annotated[
        list[str] | None,
        typer.Option(
            "--blueprint",
            "-b",
            help="A standard system to run; repeat it for several. Without it: all of the catalogue.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="The region to live in. Without it: the one that takes the prefecture."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Its name, where the member register lacks it.")
    ] = None,
    kana: Annotated[str | None, typer.Option(help="How its name is read.")] = None,
    prefecture: Annotated[str | None, typer.Option(help="Its prefecture, such as 北海道.")] = None,
    population: Annotated[int | None, typer.Option(help="Its residents.", min=0)] = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Let a municipality join, with its standard systems."""
    session = session_of(context)
    MunicipalityCode(code)
    body: dict[str, object] = {"code": code, "blueprints": blueprint or _all_blueprints(session)}
    given = {
        "region": region,
        "name": name,
        "kana": kana,
        "prefecture": prefecture,
        "population": population,
    }
    body.update({key: value for key, value in given.items() if value is not None})
    document = session.api.post("/v1/members", body, dry_run=dry_run)
    if dry_run:
        _show_plan(session, document)
        return
    operation = read(OperationOut, document)
    if not wait:
        if session.screen.json:
            session.screen.data(document)
        else:
            session.screen.say(m.JOIN_ACCEPTED, code=code, operation=operation.id)
        return
    document = follow(session, document)
    operation = read(OperationOut, document)
    if session.screen.json:
        session.screen.data(document)
    raise_if_failed(session, operation)
    session.screen.say(m.JOINED, code=code, done=operation.done, total=operation.total)


def _all_blueprints(session: Session) -> list[str]:
    return [found.id for found in read_all(BlueprintOut, session.api.every("/v1/blueprints"))]


def _show_plan(session: Session, document: object) -> None:
    if session.screen.json:
        session.screen.data(document)
        return
    plan = read(JoinPlan, document)
    session.screen.say(
        m.JOIN_PLAN, name=plan.member.name, code=plan.member.code, region=plan.region
    )
    session.screen.table(
        [
            Column(m.NAME),
            Column(m.BLUEPRINT),
            Column(m.ROLE),
            Column(m.FLAVOR),
            Column(m.HOST),
            Column(m.REFUGE),
        ],
        [
            (
                server.name,
                server.blueprint,
                server.role,
                server.flavor,
                server.host,
                ", ".join(f"{refuge.failure} → {refuge.host}" for refuge in server.refuges) or "-",
            )
            for server in plan.servers
        ],
    )
    warn_of_lacks(session, plan.lacks)

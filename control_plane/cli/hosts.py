"""`yui host`: the machines of the pool, and what operators do with them."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli.changes import show_promise
from control_plane.cli.client import segment
from control_plane.cli.operations import follow, raise_if_failed
from control_plane.cli.options import DryRun, RegionFilter, Yes, require_person
from control_plane.cli.output import Column, State, gib, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.journal.models import OperationOut
from control_plane.model.errors import YuiError
from control_plane.model.pool import Duty
from control_plane.pool.models import DrainPlan, FenceAccepted, HostOut

app = typer.Typer(no_args_is_help=True, help="Hosts: look, drain, return, fence.")

HostArgument = Annotated[str, typer.Argument(help="The host's id.", metavar="HOST")]


class FenceMethod(StrEnum):
    WORD = "word"
    POWER_OFF = "power-off"


@app.command("list")
def list_(
    context: typer.Context,
    region: RegionFilter = None,
    health: Annotated[
        str | None, typer.Option(help="Only hosts that are so at the moment, such as suspect.")
    ] = None,
    duty: Annotated[Duty | None, typer.Option(help="Only hosts with this duty.")] = None,
) -> None:
    """List the hosts with their health and what they carry."""
    session = session_of(context)
    documents = session.api.every("/v1/hosts", region=region, health=health, duty=duty)
    if session.screen.json:
        session.screen.data(documents)
        return
    hosts = read_all(HostOut, documents)
    if not hosts:
        session.screen.note(m.NO_HOSTS)
        return
    session.screen.table(
        [
            Column(m.HOST),
            Column(m.REGION),
            Column(m.SITE),
            Column(m.HEALTH),
            Column(m.DUTY),
            Column(m.SERVERS, "right"),
            Column(m.VCPUS_USED, "right"),
            Column(m.MEMORY_USED, "right"),
            Column(m.RESERVED, "right"),
        ],
        [
            (
                host.id,
                host.region,
                host.site,
                State(host.health),
                State(host.duty),
                str(host.servers),
                f"{host.used.vcpus}/{host.capacity.vcpus}",
                f"{gib(host.used.memory_mib)}/{gib(host.capacity.memory_mib)}",
                f"{host.reserved.vcpus} vCPU, {gib(host.reserved.memory_mib)} GiB",
            )
            for host in hosts
        ],
    )


@app.command()
def show(context: typer.Context, host: HostArgument) -> None:
    """Show one host."""
    session = session_of(context)
    document = session.api.get(f"/v1/hosts/{segment(host)}")
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(HostOut, document)
    fence = found.fence
    session.screen.pairs(
        [
            (m.HOST, found.id),
            (m.REGION, found.region),
            (m.SITE, found.site),
            (m.HEALTH, State(found.health)),
            (m.SINCE, local_time(found.health_since.isoformat())),
            (m.DUTY, State(found.duty)),
            (m.STANDING, State(found.standing)),
            (m.SERVERS, str(found.servers)),
            (m.VCPUS_USED, f"{found.used.vcpus}/{found.capacity.vcpus}"),
            (m.MEMORY_USED, f"{gib(found.used.memory_mib)}/{gib(found.capacity.memory_mib)}"),
            (m.RESERVED, f"{found.reserved.vcpus} vCPU, {gib(found.reserved.memory_mib)} GiB"),
            (m.ZONES, ", ".join(found.zones)),
            (m.STORAGE, ", ".join(found.storage)),
            (m.TRAITS, ", ".join(found.traits) or "-"),
            (m.DOMAINS, ", ".join(found.domains)),
            (m.DRIVER, found.driver),
            (
                m.FENCE,
                f"{fence.kind}, {local_time(fence.at.isoformat())}, {fence.by}: {fence.detail}"
                if fence
                else "-",
            ),
        ]
    )


@app.command()
def drain(
    context: typer.Context,
    host: HostArgument,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the moves until the host is empty.")
    ] = True,
    dry_run: DryRun = False,
) -> None:
    """Move every server off a host, so that it can be worked on."""
    session = session_of(context)
    document = session.api.post(f"/v1/hosts/{segment(host)}/drain", dry_run=dry_run)
    if dry_run:
        _show_plan(session, document)
        return
    operation = read(OperationOut, document)
    session.screen.note(m.DRAIN_BEGUN, host=host, servers=operation.total - 1)
    goes_on = session.screen.text(m.DRAIN_GOES_ON, host=host)
    if wait:
        document = follow(session, document, goes_on=goes_on)
    if session.screen.json:
        session.screen.data(document)
    operation = read(OperationOut, document)
    raise_if_failed(session, operation)
    if operation.state == "done":
        session.screen.say(m.DRAIN_DONE, host=host)
    else:
        session.screen.note(m.DRAIN_GOES_ON, host=host)


def _show_plan(session: Session, document: object) -> None:
    if session.screen.json:
        session.screen.data(document)
        return
    plan = read(DrainPlan, document)
    session.screen.say(m.DRAIN_PLAN, host=plan.host, count=len(plan.moves))
    if plan.moves:
        session.screen.table(
            [Column(m.ID), Column(m.MOVING_TO)], [(move.server, move.target) for move in plan.moves]
        )
    if plan.stuck:
        session.screen.say(m.DRAIN_STUCK, count=len(plan.stuck))
        for refusal in plan.stuck:
            session.screen.line("  " + session.sentence(refusal.en, refusal.ja))
    show_promise(session, plan.certificate)


@app.command("return")
def return_(context: typer.Context, host: HostArgument, dry_run: DryRun = False) -> None:
    """Take a host back into service after maintenance or a fence; it is cleaned first."""
    session = session_of(context)
    document = session.api.post(f"/v1/hosts/{segment(host)}/return", dry_run=dry_run)
    if dry_run or session.screen.json:
        _accepted(session, document)
        return
    now = read(HostOut, document)
    session.screen.say(
        m.RETURNED,
        host=host,
        health=session.screen.state(now.health),
        duty=session.screen.state(now.duty),
    )


@app.command()
def fence(
    context: typer.Context,
    host: HostArgument,
    *,
    statement: Annotated[
        str | None,
        typer.Option(help="What you saw or did, in one sentence; it is kept as evidence."),
    ] = None,
    method: Annotated[
        FenceMethod,
        typer.Option(
            help="power-off: cut its power and read it back. word: you state that it is off."
        ),
    ] = FenceMethod.POWER_OFF,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make sure that a dead host can no longer write, so that its servers may start elsewhere."""
    session = session_of(context)
    path = f"/v1/hosts/{segment(host)}"
    found = read(HostOut, session.api.get(path))
    if not yes and not dry_run:
        statement = _ask_fence(session, found, method, statement)
    if statement is None:
        raise YuiError(
            "statement-needed", en=m.FENCE_STATEMENT_NEEDED.en, ja=m.FENCE_STATEMENT_NEEDED.ja
        )
    document = session.api.post(
        f"{path}/fence", {"statement": statement, "method": method.value}, dry_run=dry_run
    )
    if dry_run or session.screen.json:
        _accepted(session, document)
        return
    session.screen.say(m.FENCE_ACCEPTED, by=read(FenceAccepted, document).by)


def _ask_fence(session: Session, host: HostOut, method: FenceMethod, statement: str | None) -> str:
    require_person(session)
    warning = m.FENCE_WARNING_WORD if method is FenceMethod.WORD else m.FENCE_WARNING_POWER
    session.screen.note(warning, host=host.id, servers=host.servers)
    if statement is None:
        statement = str(typer.prompt(session.screen.text(m.FENCE_ASK_STATEMENT), err=True))
    if typer.prompt(session.screen.text(m.FENCE_ASK_NAME), err=True) != host.id:
        raise YuiError(
            "not-confirmed",
            en=m.FENCE_NAME_DIFFERS.en.format(host=host.id),
            ja=m.FENCE_NAME_DIFFERS.ja.format(host=host.id),
        )
    sys.stderr.flush()
    return statement


def _accepted(session: Session, document: object) -> None:
    if session.screen.json:
        session.screen.data(document)
    else:
        session.screen.say(m.WOULD)

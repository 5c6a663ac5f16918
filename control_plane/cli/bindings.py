"""`yui binding`: what one member offers to another."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import messages as m
from control_plane.cli import network_messages as n
from control_plane.cli.changes import shown
from control_plane.cli.client import segment
from control_plane.cli.language import Message
from control_plane.cli.options import DryRun, TenantFilter, Yes, confirm_or_abort
from control_plane.cli.output import Column, State
from control_plane.cli.session import Session, read, read_all, session_of
from tenants.networks.models import BindingOut

app = typer.Typer(no_args_is_help=True, help="Bindings: services that members offer each other.")

BindingArgument = Annotated[str, typer.Argument(help="The binding's id.", metavar="BINDING")]


@app.command("list")
def list_(
    context: typer.Context,
    tenant: TenantFilter = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only those that are so: requested, approved, refused or revoked."),
    ] = None,
) -> None:
    """List the bindings that concern you."""
    session = session_of(context)
    documents = session.api.every("/v1/bindings", tenant=tenant, state=state)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(BindingOut, documents)
    if not found:
        session.screen.note(n.NO_BINDINGS)
        return
    heads = (m.ID, m.NAME, n.PROVIDER, n.CONSUMER, m.ZONE, n.SERVICE, m.STATE, n.IN_EFFECT)
    session.screen.table(
        [Column(head) for head in heads],
        [
            (
                one.id,
                one.name,
                one.provider,
                one.consumer,
                one.zone.value,
                f"{one.protocol}/{one.port}",
                State(one.state.value),
                State(one.in_effect or "-"),
            )
            for one in found
        ],
    )


@app.command()
def show(context: typer.Context, binding: BindingArgument) -> None:
    """Show one binding."""
    session = session_of(context)
    document = session.api.get(f"/v1/bindings/{segment(binding)}")
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(BindingOut, document)
    session.screen.pairs(
        [
            (m.ID, one.id),
            (m.NAME, one.name),
            (n.PROVIDER, one.provider),
            (n.CONSUMER, one.consumer),
            (m.ZONE, one.zone.value),
            (n.SERVICE, f"{one.protocol}/{one.port}"),
            (n.ADDRESSES, " ".join(one.addresses) or "-"),
            (n.REASON, one.reason),
            (m.STATE, State(one.state.value)),
            (n.IN_EFFECT, State(one.in_effect or "-")),
        ]
    )


@app.command()
def request(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the service is called.", metavar="NAME")],
    *,
    to: Annotated[
        str, typer.Option(help="The member that is to use it (municipality code).", metavar="CODE")
    ],
    server: Annotated[
        list[str],
        typer.Option(help="A server that offers it, by id or name; may be repeated."),
    ],
    port: Annotated[int, typer.Option(help="The port that it is offered at.")],
    reason: Annotated[str, typer.Option(help="Why, in one sentence.")],
    protocol: Annotated[str, typer.Option(help="tcp or udp.")] = "tcp",
    dry_run: DryRun = False,
) -> None:
    """Offer a service of your servers to another member; an approver decides."""
    session = session_of(context)
    body = {
        "name": name,
        "consumer": to,
        "servers": server,
        "protocol": protocol,
        "port": port,
        "reason": reason,
    }
    document = session.api.post("/v1/bindings", body, dry_run=dry_run)
    _told(session, document, n.REQUESTED, dry_run=dry_run)


@app.command()
def approve(context: typer.Context, binding: BindingArgument, dry_run: DryRun = False) -> None:
    """Let a binding pass. Whoever asked can't approve it."""
    _move(session_of(context), binding, "approve", n.APPROVED, dry_run=dry_run)


@app.command()
def refuse(context: typer.Context, binding: BindingArgument, dry_run: DryRun = False) -> None:
    """Do not let a binding pass."""
    _move(session_of(context), binding, "refuse", n.REFUSED, dry_run=dry_run)


@app.command()
def revoke(
    context: typer.Context, binding: BindingArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """End a binding, or take its request back."""
    session = session_of(context)
    confirm_or_abort(session, n.REVOKE_ASK, yes=yes or dry_run, binding=binding)
    _move(session, binding, "revoke", n.REVOKED, dry_run=dry_run)


def _move(session: Session, binding: str, verb: str, done: Message, *, dry_run: bool) -> None:
    document = session.api.post(f"/v1/bindings/{segment(binding)}/{verb}", dry_run=dry_run)
    _told(session, document, done, dry_run=dry_run)


def _told(session: Session, document: Any, done: Message, *, dry_run: bool) -> None:
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(done, binding=read(BindingOut, document).id)

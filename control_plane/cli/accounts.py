"""`yui account`: programs that use the API."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.access.models import ServiceAccountOut, TokenOut
from control_plane.cli import access_messages as a
from control_plane.cli import messages as m
from control_plane.cli.changes import shown, tell
from control_plane.cli.client import segment
from control_plane.cli.options import Yes, confirm
from control_plane.cli.output import Column, local_time
from control_plane.cli.session import read, read_all, session_of
from control_plane.cli.tokens import ExpiresInDays, Scopes, TokenFile, issue_and_show
from control_plane.model.access import Role

app = typer.Typer(no_args_is_help=True, help="Programs that use the API.")

AccountId = Annotated[str, typer.Argument(help="The account's id.", metavar="ID")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the service accounts."""
    session = session_of(context)
    documents = session.api.every("/v1/service-accounts")
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [Column(m.ID), Column(m.NAME), Column(m.ROLE), Column(m.MEMBER), Column(a.SCOPES)],
        [
            (one.id, one.name, one.role, one.tenant or "-", ", ".join(one.scopes))
            for one in read_all(ServiceAccountOut, documents)
        ],
    )


@app.command()
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="The program's name.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is (municipality code), for a member's roles.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A permission it may have at most, such as servers.read; repeatable."),
    ] = None,
) -> None:
    """Add a service account."""
    session = session_of(context)
    body = {"name": name, "role": role.value, "tenant": tenant, "scopes": scope}
    document = session.api.post(
        "/v1/service-accounts", {key: value for key, value in body.items() if value}
    )
    if not shown(session, document):
        session.screen.say(a.ACCOUNT_ADDED, id=read(ServiceAccountOut, document).id)


@app.command()
def remove(context: typer.Context, account: AccountId, *, yes: Yes = False) -> None:
    """Delete a service account and its tokens."""
    session = session_of(context)
    if not confirm(session, a.ACCOUNT_REMOVE_ASK, yes=yes, id=account):
        session.screen.say(m.ABORTED)
        return
    document = session.api.delete(f"/v1/service-accounts/{segment(account)}")
    tell(session, document, a.ACCOUNT_REMOVED, id=account)


@app.command()
def token(
    context: typer.Context,
    account: AccountId,
    *,
    scope: Scopes = None,
    expires_in_days: ExpiresInDays = 90,
    out: TokenFile = None,
) -> None:
    """Issue a token of a service account."""
    body: dict[str, object] = {"expires_in_days": expires_in_days}
    if scope:
        body["scopes"] = scope
    path = f"/v1/service-accounts/{segment(account)}/tokens"
    issue_and_show(session_of(context), path, body, out)


@app.command()
def tokens(context: typer.Context, account: AccountId) -> None:
    """List the tokens of a service account."""
    session = session_of(context)
    documents = session.api.every(f"/v1/service-accounts/{segment(account)}/tokens")
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [Column(m.ID), Column(m.NAME), Column(m.EXPIRES), Column(a.LAST_USED), Column(a.SCOPES)],
        [
            (
                one.id,
                one.label,
                local_time(one.expires_at.isoformat()) if one.expires_at else "-",
                local_time(one.last_used_at.isoformat()) if one.last_used_at else "-",
                ", ".join(one.scopes or []),
            )
            for one in read_all(TokenOut, documents)
        ],
    )

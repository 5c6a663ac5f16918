"""`yui user`: who signs in."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.access.models import UserOut
from control_plane.cli import access_messages as a
from control_plane.cli import messages as m
from control_plane.cli.changes import tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, Yes, confirm
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.access import Role
from control_plane.model.tenant import MunicipalityCode

app = typer.Typer(no_args_is_help=True, help="People who sign in.")

UserId = Annotated[str, typer.Argument(help="The user's id.", metavar="ID")]
Force = Annotated[bool, typer.Option("--force", help="Even if no admin is left.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the users."""
    session = session_of(context)
    documents = session.api.every("/v1/users")
    if session.screen.json:
        session.screen.data(documents)
        return
    users = read_all(UserOut, documents)
    if not users:
        session.screen.note(a.NO_USERS)
        return
    session.screen.table(
        [Column(m.ID), Column(m.NAME), Column(m.ROLE), Column(m.MEMBER), Column(a.DISABLED)],
        [
            (
                user.id,
                user.name,
                user.role,
                user.tenant or "-",
                State("yes" if user.disabled else "no"),
            )
            for user in users
        ],
    )


@app.command()
def show(context: typer.Context, user: UserId) -> None:
    """Show a user."""
    session = session_of(context)
    _show(session, session.api.get(f"/v1/users/{segment(user)}"))


@app.command()
def add(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    issuer: Annotated[str, typer.Option(help="The identity provider's address.")],
    subject: Annotated[
        str | None,
        typer.Option(help="How the provider calls the person; `yui login` shows it to them."),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(help="An address that invites the person, where that is allowed."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is (municipality code), for a member's roles.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Let a person in whom an identity provider knows."""
    session = session_of(context)
    if tenant is not None:
        MunicipalityCode(tenant)
    body = {
        "name": name,
        "role": role.value,
        "issuer": issuer,
        "subject": subject,
        "email": email,
        "tenant": tenant,
    }
    said = {key: value for key, value in body.items() if value is not None}
    document = session.api.post("/v1/users", said, dry_run=dry_run or None)
    if session.screen.json:
        session.screen.data(document)
        return
    added = read(UserOut, document)
    if dry_run:
        session.screen.say(m.WOULD)
    else:
        session.screen.say(a.USER_ADDED, name=added.name, id=added.id)


@app.command()
def change(
    context: typer.Context,
    user: UserId,
    *,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    role: Annotated[Role | None, typer.Option(help="What it may do.")] = None,
    disabled: Annotated[
        bool | None,
        typer.Option("--disable/--enable", help="Switch the user off, or on again."),
    ] = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Change a user's name or role, or switch it off or on."""
    session = session_of(context)
    body = {"name": name, "role": None if role is None else role.value, "disabled": disabled}
    document = session.api.patch(
        f"/v1/users/{segment(user)}",
        {key: value for key, value in body.items() if value is not None},
        force=force or None,
        dry_run=dry_run or None,
    )
    if session.screen.json:
        session.screen.data(document)
    elif dry_run:
        session.screen.say(m.WOULD)
    else:
        session.screen.say(a.USER_CHANGED, id=user)


@app.command()
def remove(context: typer.Context, user: UserId, *, force: Force = False, yes: Yes = False) -> None:
    """Delete a user."""
    session = session_of(context)
    if not confirm(session, a.USER_REMOVE_ASK, yes=yes, id=user):
        session.screen.say(m.ABORTED)
        return
    document = session.api.delete(f"/v1/users/{segment(user)}", force=force or None)
    tell(session, document, a.USER_REMOVED, id=user)


def _show(session: Session, document: object) -> None:
    user = read(UserOut, document)
    if session.screen.json:
        session.screen.data(document)
        return
    session.screen.pairs(
        [
            (m.ID, user.id),
            (m.NAME, user.name),
            (m.ROLE, user.role),
            (m.MEMBER, user.tenant or "-"),
            (a.ISSUER, user.issuer),
            (a.SUBJECT_THERE, user.subject or "-"),
            (a.EMAIL, user.email or "-"),
            (a.DISABLED, State("yes" if user.disabled else "no")),
            (m.SINCE, local_time(user.created_at.isoformat())),
        ]
    )

"""`yui token`: who may use the API. A token is shown, or written to a file, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from control_plane.access.models import TokenIssued, TokenOut
from control_plane.cli import messages as m
from control_plane.cli.changes import tell
from control_plane.cli.client import segment
from control_plane.cli.output import Column, local_time
from control_plane.cli.private_file import write_private
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.access import Role
from control_plane.model.tenant import MunicipalityCode

app = typer.Typer(no_args_is_help=True, help="Tokens for people and programs.")

Scopes = Annotated[
    list[str] | None,
    typer.Option(help="A permission that it has, such as servers.read; repeatable."),
]
ExpiresInDays = Annotated[int, typer.Option(help="Days until it ends.", min=1, max=366)]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="Write the token to this new file (mode 600) instead of the screen."),
]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the tokens, without what they say."""
    session = session_of(context)
    documents = session.api.every("/v1/tokens")
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [Column(m.ID), Column(m.ROLE), Column(m.MEMBER), Column(m.NAME), Column(m.EXPIRES)],
        [
            (
                token.id,
                token.role,
                token.tenant or "-",
                token.label,
                local_time(token.expires_at.isoformat()) if token.expires_at else "-",
            )
            for token in read_all(TokenOut, documents)
        ],
    )


@app.command()
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The token's id.", metavar="ID")],
) -> None:
    """Refuse a token from now on."""
    session = session_of(context)
    document = session.api.delete(f"/v1/tokens/{segment(token)}")
    tell(session, document, m.TOKEN_REVOKED, id=token)


@app.command()
def create(
    context: typer.Context,
    *,
    label: Annotated[str, typer.Option(help="Who will hold it; this name signs the audit trail.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.MEMBER_ADMIN,
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is (municipality code), for a member's roles.")
    ] = None,
    scope: Scopes = None,
    expires_in_days: ExpiresInDays = 90,
    out: TokenFile = None,
) -> None:
    """Issue a token."""
    session = session_of(context)
    if tenant is not None:
        MunicipalityCode(tenant)
    body: dict[str, object] = {"role": role.value, "label": label}
    if tenant is not None:
        body["tenant"] = tenant
    if scope:
        body["scopes"] = scope
    body["expires_in_days"] = expires_in_days
    issue_and_show(session, "/v1/tokens", body, out)


def issue_and_show(session: Session, path: str, body: dict[str, object], out: Path | None) -> None:
    """Issue a token at `path`, and show it or keep it in the new file `out`."""
    answers: list[dict[str, Any]] = []

    def issue() -> str:
        answers.append(session.api.post(path, body))
        return read(TokenIssued, answers[0]).token + "\n"

    if out is None:
        issue()
    else:
        write_private(out, issue)
    issued = read(TokenIssued, answers[0])
    document = answers[0] if out is None else {**answers[0], "token": None}
    if session.screen.json:
        session.screen.data(document)
        return
    expires = local_time(issued.expires_at.isoformat()) if issued.expires_at else "-"
    session.screen.pairs([(m.ID, issued.id), (m.NAME, issued.label), (m.EXPIRES, expires)])
    if out is not None:
        session.screen.say(m.TOKEN_WRITTEN, path=out)
    else:
        session.screen.note(m.TOKEN_ONCE)
        session.screen.line(issued.token)

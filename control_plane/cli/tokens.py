"""`yui token`: who may use the API. A token is shown, or written to a file, once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from control_plane.access.models import TokenIssued
from control_plane.cli import messages as m
from control_plane.cli.output import local_time
from control_plane.cli.session import read, session_of
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode

app = typer.Typer(no_args_is_help=True, help="Tokens for people and programs.")


class TokenRole(StrEnum):
    OPERATOR = "operator"
    TENANT = "tenant"


@app.command()
def create(
    context: typer.Context,
    *,
    label: Annotated[str, typer.Option(help="Who will hold it; this name signs the audit trail.")],
    role: Annotated[TokenRole, typer.Option(help="What it may do.")] = TokenRole.TENANT,
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is (municipality code), for the role tenant.")
    ] = None,
    expires_in_days: Annotated[
        int | None, typer.Option(help="Days until it ends.", min=1, max=3650)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the token to this new file (mode 600) instead of the screen."),
    ] = None,
) -> None:
    """Issue a token."""
    session = session_of(context)
    if tenant is not None:
        MunicipalityCode(tenant)
    body: dict[str, object] = {"role": role.value, "label": label}
    if tenant is not None:
        body["tenant"] = tenant
    if expires_in_days is not None:
        body["expires_in_days"] = expires_in_days
    handle = None if out is None else _new_file(out)
    try:
        document = session.api.post("/v1/tokens", body)
        issued = read(TokenIssued, document)
    except BaseException:
        if out is not None and handle is not None:
            os.close(handle)
            out.unlink(missing_ok=True)
        raise
    if out is not None and handle is not None:
        with os.fdopen(handle, "w") as file:
            file.write(issued.token + "\n")
        document = {**document, "token": None}
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


def _new_file(path: Path) -> int:
    """Open before the token exists, so that none is issued that can't be kept."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise YuiError(
            "token-file-unwritable",
            en=f"{path} can't be made ({error.strerror}): name a new file in a folder of yours.",
            ja=f"{path} を作れません({error.strerror})。書き込めるフォルダーの新しいファイル名を指定してください。",
        ) from None

"""`yui operation`, and how other commands follow what they began."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from control_plane.cli import messages as m
from control_plane.cli.client import ApiProblem, segment
from control_plane.cli.exit_codes import ExitCode, exit_code_of
from control_plane.cli.options import TenantFilter, Wait
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.journal.models import OperationOut
from control_plane.model.errors import YuiError
from control_plane.model.operation import OperationState

app = typer.Typer(no_args_is_help=True, help="Changes in progress.")

_PATIENCE = 120.0
"""Seconds for which the API may be away while an operation is followed: another control plane needs
this long at most to take over."""
_LOOK_EVERY = 2
"""Seconds that one request waits: a bar that stands still for longer looks dead."""


@app.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="The newest this many.", min=1, max=1000)] = 20,
    tenant: TenantFilter = None,
    state: Annotated[
        OperationState | None, typer.Option(help="Only operations that are so at the moment.")
    ] = None,
) -> None:
    """List the newest operations."""
    session = session_of(context)
    document = session.api.get("/v1/operations", limit=limit, tenant=tenant, state=state)
    documents = document.get("items", [])
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [
            Column(m.ID),
            Column(m.KIND),
            Column(m.SUBJECT),
            Column(m.STATE),
            Column(m.PROGRESS, "right"),
            Column(m.SINCE),
        ],
        [
            (
                found.id,
                found.kind,
                found.subject,
                State(found.state),
                f"{found.done}/{found.total}",
                local_time(found.created_at.isoformat()),
            )
            for found in read_all(OperationOut, documents)
        ],
    )


@app.command()
def show(
    context: typer.Context,
    operation: Annotated[str, typer.Argument(help="The operation's id.", metavar="ID")],
    wait: Wait = False,
) -> None:
    """Show an operation, or follow it to its end with --wait."""
    session = session_of(context)
    document = session.api.get(f"/v1/operations/{segment(operation)}")
    if wait:
        document = follow(session, document)
    found = read(OperationOut, document)
    if session.screen.json:
        session.screen.data(document)
    else:
        session.screen.pairs(
            [
                (m.ID, found.id),
                (m.KIND, found.kind),
                (m.SUBJECT, found.subject),
                (m.STATE, State(found.state)),
                (m.PROGRESS, f"{found.done}/{found.total}"),
                (m.SINCE, local_time(found.created_at.isoformat())),
            ]
        )
    raise_if_failed(session, found)


def follow(
    session: Session, document: dict[str, Any], *, goes_on: str | None = None
) -> dict[str, Any]:
    """Show an operation's progress until it ends, and return it as it ended. While the API is away
    this keeps trying for `_PATIENCE`, since the operation goes on without it; `goes_on` says so to
    whoever interrupts."""
    operation = read(OperationOut, document)
    session.underway = goes_on or session.screen.text(m.OPERATION_GOES_ON, operation=operation.id)
    with session.screen.progress(f"{operation.kind} {operation.subject}", operation.total) as bar:
        while operation.state == "running":
            bar.at(operation.done, operation.total)
            document = patiently(
                session, f"/v1/operations/{segment(operation.id)}", wait=_LOOK_EVERY
            )
            operation = read(OperationOut, document)
    session.underway = None
    return document


def patiently(session: Session, path: str, **query: object) -> Any:
    """GET `path`, and go on trying for `_PATIENCE` while the API can't be reached."""
    give_up = time.monotonic() + _PATIENCE
    told = False
    while True:
        try:
            return session.api.get(path, **query)
        except YuiError as error:
            gone = exit_code_of(error) is ExitCode.UNREACHABLE or error.status == 500
            if not gone or time.monotonic() > give_up:
                raise
            if not told:
                session.screen.note(m.API_AWAY)
                told = True
            time.sleep(1)


def raise_if_failed(session: Session, operation: OperationOut) -> None:
    """Raises the operation's own error where it failed."""
    if operation.state != "failed":
        return
    error = operation.error or {}
    sentence = error.get("detail") or error.get(session.language.value) or error.get("en")
    document = {
        "type": "operation-failed",
        "detail": sentence or session.screen.text(m.OPERATION_FAILED, operation=operation.id),
        **error,
    }
    raise ApiProblem(document, 422)

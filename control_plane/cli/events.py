"""`yui events`: what happened, and what happens now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from control_plane.cli import messages as m
from control_plane.cli.client import ApiProblem, answer_not_understood
from control_plane.cli.exit_codes import ExitCode, exit_code_of
from control_plane.cli.options import TenantFilter
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.session import Session, read, session_of
from control_plane.journal.models import EventOut, Events
from control_plane.model.errors import YuiError
from control_plane.model.operation import Severity

_PAGE = 1000
_PATIENCE = 120.0
"""Seconds for which the API may be away while events are followed: another control plane needs this
long at most to take over."""


def events(
    context: typer.Context,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on showing events as they happen.")
    ] = False,
    after: Annotated[int, typer.Option(help="Only events behind this sequence number.", min=0)] = 0,
    limit: Annotated[
        int, typer.Option(help="The newest this many of what has happened.", min=1, max=100_000)
    ] = 50,
    tenant: TenantFilter = None,
    severity: Annotated[
        list[Severity] | None,
        typer.Option(help="Only events of this severity; may be given again."),
    ] = None,
) -> None:
    """Show what happened. With --follow and --json: one JSON document a line."""
    session = session_of(context)
    chosen = {"tenant": tenant, "severity": [each.value for each in severity or []] or None}
    documents, after = _newest(session, after, limit, chosen)
    if not follow:
        _show(session, documents)
        return
    for document in documents:
        _show_line(session, document)
    for document in _following(session, after, chosen):
        _show_line(session, document)


def _following(
    session: Session, after: int, chosen: Mapping[str, object]
) -> Iterator[dict[str, Any]]:
    """Events behind `after` as they happen, for ever; the stream is asked for again where it breaks.
    Raises what the API refuses, and once the API has been away for `_PATIENCE`."""
    give_up, told = time.monotonic() + _PATIENCE, False
    while True:
        try:
            lines = session.api.lines("/v1/events/stream", after=after, **chosen)
            for document in _documents(lines):
                yield document
                after = read(EventOut, document).sequence
                give_up, told = time.monotonic() + _PATIENCE, False
            # It ends in good order where the control plane does.
            time.sleep(1)
        except YuiError as error:
            gone = exit_code_of(error) is ExitCode.UNREACHABLE or error.status == 500
            if (isinstance(error, ApiProblem) and not gone) or time.monotonic() > give_up:
                raise
            if not told:
                session.screen.note(m.API_AWAY)
                told = True
            time.sleep(1)


def _documents(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The data of server-sent events. Each stands on one line."""
    for line in lines:
        name, _, value = line.rstrip(b"\r\n").partition(b": ")
        if name == b"data":
            try:
                document = json.loads(value)
            except ValueError:
                raise answer_not_understood() from None
            yield document


def _newest(
    session: Session, after: int, limit: int, chosen: Mapping[str, object]
) -> tuple[list[dict[str, Any]], int]:
    """The newest `limit` events behind `after`, oldest first, and the number behind which new ones
    come."""
    pages: list[list[dict[str, Any]]] = []
    before: int | None = None
    missing, end = limit, after
    while missing > 0:
        part = {"after": after, "before": before, "limit": min(missing, _PAGE)}
        answer = session.api.get("/v1/events", newest=True, **part, **chosen)
        page = read(Events, answer)
        end = max(end, page.next)
        pages.append([event.model_dump(mode="json") for event in page.items])
        missing -= len(page.items)
        before = page.previous
        if before is None:
            break
    return [document for page in reversed(pages) for document in page], end


def _show(session: Session, documents: list[dict[str, Any]]) -> None:
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [Column(m.TIME), Column(m.SEVERITY), Column(m.SUBJECT), Column(m.WHAT)],
        [
            (
                local_time(event.at.isoformat()),
                State(event.severity),
                event.subject,
                _sentence(session, event),
            )
            for event in (read(EventOut, document) for document in documents)
        ],
    )


def _show_line(session: Session, document: dict[str, Any]) -> None:
    if session.screen.json:
        session.screen.data_line(document)
        return
    event = read(EventOut, document)
    word = session.screen.state(event.severity)
    session.screen.line(f"{local_time(event.at.isoformat())}  {word}  {_sentence(session, event)}")


def _sentence(session: Session, event: EventOut) -> str:
    return session.sentence(event.en, event.ja)

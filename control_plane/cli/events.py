"""`yui events`: what happened, and what happens now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import messages as m
from control_plane.cli.operations import patiently
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.session import Session, read, session_of
from control_plane.journal.models import EventOut, Events

_PAGE = 1000
_WAIT = 25
"""Seconds that one request waits for something to happen."""


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
) -> None:
    """Show what happened. With --follow and --json: one JSON document a line."""
    session = session_of(context)
    documents, after = _newest(session, after, limit)
    if not follow:
        _show(session, documents)
        return
    for document in documents:
        _show_line(session, document)
    while True:
        page = read(Events, patiently(session, "/v1/events", after=after, wait=_WAIT))
        for event in page.items:
            _show_line(session, event.model_dump(mode="json"))
        after = max(after, page.next)


def _newest(session: Session, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The newest `limit` events behind `after`, oldest first, and the number behind which new ones
    come."""
    pages: list[list[dict[str, Any]]] = []
    before: int | None = None
    missing, end = limit, after
    while missing > 0:
        answer = session.api.get(
            "/v1/events", newest=True, after=after, before=before, limit=min(missing, _PAGE)
        )
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

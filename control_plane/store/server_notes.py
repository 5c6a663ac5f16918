"""What is written down of servers beside what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, update

from control_plane.model.ids import ServerId
from control_plane.model.server_notes import ServerNotes
from control_plane.store.rows import Rows
from control_plane.store.server_note_tables import server_notes


class ServerNoteReads(Rows):
    def notes_of(self, server: ServerId) -> ServerNotes:
        """Empty ones where nothing was written down."""
        row = self._row(server_notes, server)
        if row is None:
            return ServerNotes()
        return ServerNotes(row.made_at, row.made_by, row.description, row.labels, tuple(row.tags))


class ServerNoteWrites(ServerNoteReads):
    def add_notes(self, notes: Mapping[ServerId, ServerNotes]) -> None:
        """Of servers that have none yet; they go with their servers."""
        if notes:
            rows = [{"server_id": server, **_values(note)} for server, note in notes.items()]
            self._connection.execute(insert(server_notes), rows)

    def put_notes(self, server: ServerId, notes: ServerNotes) -> None:
        """In place of what was there."""
        changing = update(server_notes).where(server_notes.c.server_id == server)
        if self._connection.execute(changing.values(_values(notes))).rowcount == 0:
            self.add_notes({server: notes})


def _values(notes: ServerNotes) -> dict[str, Any]:
    return {
        "made_at": notes.made_at,
        "made_by": notes.made_by,
        "description": notes.description,
        "labels": dict(notes.labels),
        "tags": list(notes.tags),
    }

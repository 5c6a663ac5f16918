"""The table of what is written down of servers beside what they are."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Table, Text

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

server_notes = Table(
    # Apart from `servers`, which are read by the thousand for decisions that don't need it.
    "server_notes",
    metadata,
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("made_at", UtcTime, nullable=True),
    Column("made_by", Text, nullable=True),
    Column("description", Text, nullable=True),
    Column("labels", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
)

"""The table of sessions that clients began with their tokens."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table, Text, text, true

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    # A token's id or a user's.
    Column("whose", Text, nullable=False, index=True),
    Column("of_user", Boolean, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("scoped", Boolean, nullable=False, server_default=true()),
    # Words with spaces between.
    Column("methods", Text, nullable=False, server_default=text("'token'")),
)

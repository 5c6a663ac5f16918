"""The tables of members' keys, and of those that servers were made with."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text, UniqueConstraint

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

keypairs = Table(
    "keypairs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("tenant", "name"),
)

server_keys = Table(
    # No reference to the key pair, which may go before the server does.
    "server_keys",
    metadata,
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("public_key", Text, nullable=False),
)

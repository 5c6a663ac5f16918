"""The tables of groups of servers that are kept apart, and of resizes that may still be taken back."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text, UniqueConstraint

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

anti_affinity_groups = Table(
    # Servers name theirs by `group_id`; blueprints make groups that are on no record here.
    "anti_affinity_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("tenant", "name"),
)

unconfirmed_resizes = Table(
    "unconfirmed_resizes",
    metadata,
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("flavor_id", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
)

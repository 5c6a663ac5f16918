"""The table of members' container groups."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

container_groups = Table(
    "container_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    # A group goes with its system.
    Column("system_id", ForeignKey("systems.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("replicas", Integer, nullable=False),
    Column("containers", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("generation", BigInteger, nullable=False),
    UniqueConstraint("tenant", "name"),
)

"""The table of members' lives, from application on, apart from the members that there are."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, Table, Text

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

memberships = Table(
    "memberships",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kana", Text, nullable=False),
    Column("prefecture", Text, nullable=False),
    Column("population", Integer, nullable=False),
    Column("region_id", Text, nullable=False),
    Column("blueprints", JSON, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("since", UtcTime, nullable=False),
    # What else its state says: who did it, why.
    Column("particulars", JSON, nullable=False),
    Column("contact", JSON, nullable=False),
    Column("wanted", JSON),
    Column("operation_id", Text),
    Column("generation", BigInteger, nullable=False),
)

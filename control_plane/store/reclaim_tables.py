"""The tables of lent room that is asked back."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, Table, Text

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

# Members and regions are named without a foreign key: what was asked of a member is remembered when
# it has left.

reclaims = Table(
    "reclaims",
    metadata,
    Column("id", Text, primary_key=True),
    Column("region_id", Text, nullable=False),
    Column("vcpu", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("beneficiary", Text),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("word", Text),
    Column("shelved", JSON, nullable=False),
    Column("ended_at", UtcTime),
    Column("generation", BigInteger, nullable=False),
)

reclaim_notices = Table(
    "reclaim_notices",
    metadata,
    Column("reclaim_id", ForeignKey("reclaims.id"), primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("vcpu", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("most_vcpu", Integer, nullable=False),
    Column("most_memory_mib", BigInteger, nullable=False),
    Column("servers", JSON, nullable=False),
)

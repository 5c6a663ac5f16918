"""The tables of what members have of a region, apart from what they run there."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table

from control_plane.store.tables import metadata

allotments = Table(
    "allotments",
    metadata,
    Column("tenant", ForeignKey("tenants.code"), primary_key=True),
    Column("region_id", ForeignKey("regions.id"), primary_key=True),
    Column("guaranteed_vcpu", Integer, nullable=False),
    Column("guaranteed_memory_mib", BigInteger, nullable=False),
    Column("guaranteed_disk_gib", BigInteger, nullable=False),
    Column("quota_vcpu", Integer, nullable=False),
    Column("quota_memory_mib", BigInteger, nullable=False),
    Column("quota_disk_gib", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    # Raised by everybody who counts usage and means to add to it, so that of two who do so at the
    # same time one loses its race.
    Column("claims", BigInteger, nullable=False, server_default="0"),
)

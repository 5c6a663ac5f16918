"""The tables of what members have of a region, apart from what they run there."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text

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

holdings = Table(
    # Room that is kept for what is guaranteed and not used. Hosts and storage are named without a
    # foreign key: nothing runs here, so that a holding never keeps a host in the pool.
    "holdings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("tenant", ForeignKey("tenants.code"), nullable=False, index=True),
    Column("vcpu", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("disk_gib", BigInteger, nullable=False),
    Column("zone", Text, nullable=False),
    Column("storage_id", Text, nullable=False),
    Column("host_id", Text, nullable=False, index=True),
    # The server whose room this is once it has moved here, and the flavor that it has then.
    Column("grows", Text, unique=True, index=True),
    Column("flavor_id", Text),
)

holding_refuges = Table(
    "holding_refuges",
    metadata,
    Column("holding_id", ForeignKey("holdings.id"), primary_key=True),
    Column("domain_kind", Text, primary_key=True),
    Column("domain_name", Text, primary_key=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("host_id", Text, nullable=False, index=True),
)

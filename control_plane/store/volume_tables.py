"""The tables of members' volumes, and of snapshots of servers' disks."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, Table, Text, false

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

volumes = Table(
    "volumes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("size_gib", BigInteger, nullable=False),
    Column("storage_id", ForeignKey("storage_pools.id"), nullable=False, index=True),
    # Whose it is, also while it is being detached.
    Column("server_id", ForeignKey("servers.id"), nullable=True, index=True),
    Column("device_order", Integer, nullable=True),
    Column("detaching", Boolean, nullable=False),
    Column("source_snapshot_id", Text, nullable=True),
    Column("source_volume_id", Text, nullable=True),
    Column("made", Boolean, nullable=False),
    Column("growing", Boolean, nullable=False, server_default=false()),
    Column("build", Integer, nullable=False),
    Column("backing", Text),
    Column("plugged", Boolean, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("deleting", Boolean, nullable=False),
    Column("trouble", Text, nullable=True),
    Column("created_at", UtcTime, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("description", Text),
    Column("labels", JSON(none_as_null=True)),
)

server_snapshots = Table(
    # A snapshot outlives its server, which is named without a foreign key.
    "server_snapshots",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("server_id", Text, nullable=False, index=True),
    Column("server_name", Text, nullable=False),
    Column("image_id", Text, nullable=False),
    Column("storage_id", ForeignKey("storage_pools.id"), nullable=False, index=True),
    Column("disks", JSON, nullable=False),
    Column("size_gib", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("taken_at", UtcTime, nullable=True),
    Column("quiesced", Boolean, nullable=False),
    Column("restoring", Boolean, nullable=False),
    Column("deleting", Boolean, nullable=False),
    Column("trouble", Text, nullable=True),
    Column("generation", BigInteger, nullable=False),
)

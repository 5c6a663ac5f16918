"""The tables of images on their way, and of how much of images members may keep."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Table, Text

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

image_uploads = Table(
    "image_uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, index=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # Null where it is taken of what comes.
    Column("sha256", Text),
    Column("begun_at", UtcTime, nullable=False),
    Column("format", Text),
    Column("properties", JSON(none_as_null=True)),
)

image_captures = Table(
    # Without foreign keys: what is made from a server outlives it.
    "image_captures",
    metadata,
    Column("image_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("region_id", Text, nullable=False),
    Column("server_id", Text, nullable=False, index=True),
    Column("server_name", Text, nullable=False),
    Column("snapshot_id", Text, nullable=False),
    Column("operation_id", Text, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("length", BigInteger),
    Column("done", BigInteger, nullable=False),
    Column("trouble", Text),
)

image_quotas = Table(
    # Of members that may keep more or less than all do.
    "image_quotas",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("gib", BigInteger, nullable=False),
)

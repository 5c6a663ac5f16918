"""The tables of images on their way, and of how much of images members may keep."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

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
    Column("sha256", Text, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
)

image_quotas = Table(
    # Of members that may keep more or less than all do.
    "image_quotas",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("gib", BigInteger, nullable=False),
)

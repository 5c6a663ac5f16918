"""The table of the disks that members who leave take with them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from control_plane.store.tables import metadata

exported_disks = Table(
    "exported_disks",
    metadata,
    Column("operation_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    # Without foreign keys: what was exported is told while its original is being removed.
    Column("server_id", Text),
    Column("volume_id", Text),
    Column("build", Integer, nullable=False),
    Column("length", BigInteger),
    Column("virtual_size", BigInteger),
    Column("done", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("missing", Boolean, nullable=False),
    Column("trouble", Text),
)

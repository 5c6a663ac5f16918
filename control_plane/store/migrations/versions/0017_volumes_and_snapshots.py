"""Members have volumes of their own, and snapshots of their servers' disks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "volumes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_gib", sa.BigInteger(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=True),
        sa.Column("device_order", sa.Integer(), nullable=True),
        sa.Column("detaching", sa.Boolean(), nullable=False),
        sa.Column("source_snapshot_id", sa.Text(), nullable=True),
        sa.Column("source_volume_id", sa.Text(), nullable=True),
        sa.Column("made", sa.Boolean(), nullable=False),
        sa.Column("build", sa.Integer(), nullable=False),
        sa.Column("plugged", sa.Boolean(), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        _key("volumes", "tenant", "tenants", "code"),
        _key("volumes", "region_id", "regions", "id"),
        _key("volumes", "storage_id", "storage_pools", "id"),
        _key("volumes", "server_id", "servers", "id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volumes")),
    )
    op.create_table(
        "server_snapshots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("server_name", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=False),
        sa.Column("disks", sa.JSON(), nullable=False),
        sa.Column("size_gib", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quiesced", sa.Boolean(), nullable=False),
        sa.Column("restoring", sa.Boolean(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        _key("server_snapshots", "tenant", "tenants", "code"),
        _key("server_snapshots", "region_id", "regions", "id"),
        _key("server_snapshots", "storage_id", "storage_pools", "id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_snapshots")),
    )
    for table in ("volumes", "server_snapshots"):
        for column in ("tenant", "region_id", "storage_id", "server_id"):
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def _key(table: str, column: str, other: str, name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.{name}"], name=op.f(f"fk_{table}_{column}"))

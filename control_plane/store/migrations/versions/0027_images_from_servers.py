"""Images are made from servers' disks, and of lengths that nobody says beforehand; members say more of
what is theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("images", sa.Column("properties", sa.JSON(), nullable=True))
    with op.batch_alter_table("image_uploads") as table:
        table.add_column(sa.Column("format", sa.Text(), nullable=True))
        table.add_column(sa.Column("properties", sa.JSON(), nullable=True))
        table.alter_column("sha256", existing_type=sa.Text(), nullable=True)
    op.create_table(
        "image_captures",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("server_name", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_image_captures")),
    )
    op.create_index(op.f("ix_image_captures_server_id"), "image_captures", ["server_id"])
    op.create_index(op.f("ix_image_captures_tenant"), "image_captures", ["tenant"])
    op.add_column("volumes", sa.Column("description", sa.Text(), nullable=True))
    op.add_column("volumes", sa.Column("labels", sa.JSON(), nullable=True))

"""Members bring images of their own: whose they are, what is on its way, and how much they may keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("images", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("images", sa.Column("private_to", sa.Text(), nullable=True))
    op.create_index(op.f("ix_images_owner"), "images", ["owner"])
    op.create_table(
        "image_uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_uploads")),
    )
    op.create_index(op.f("ix_image_uploads_tenant"), "image_uploads", ["tenant"])
    op.create_table(
        "image_quotas",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("gib", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_image_quotas")),
    )

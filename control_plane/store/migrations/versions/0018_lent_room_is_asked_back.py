"""Room that was lent is asked back: what borrowers are told, and how long before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "regions", sa.Column("notice_days", sa.Integer(), nullable=False, server_default="14")
    )
    op.create_table(
        "reclaims",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("beneficiary", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=True),
        sa.Column("shelved", sa.JSON(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reclaims")),
    )
    op.create_index(op.f("ix_reclaims_state"), "reclaims", ["state"], unique=False)
    op.create_table(
        "reclaim_notices",
        sa.Column("reclaim_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("most_vcpu", sa.Integer(), nullable=False),
        sa.Column("most_memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("servers", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reclaim_id"], ["reclaims.id"], name=op.f("fk_reclaim_notices_reclaim_id")
        ),
        sa.PrimaryKeyConstraint("reclaim_id", "tenant", name=op.f("pk_reclaim_notices")),
    )

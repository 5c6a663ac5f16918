"""Volumes can be made larger: which of them still are to be."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "volumes",
        sa.Column("growing", sa.Boolean(), nullable=False, server_default=sa.false()),
    )

"""Servers that are on no network, such as those in which restoring is proven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "servers",
        sa.Column("isolated", sa.Boolean(), nullable=False, server_default=sa.false()),
    )

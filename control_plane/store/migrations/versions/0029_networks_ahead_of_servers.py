"""Networks that keep addresses without servers; what groups of rules are for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "networks",
        sa.Column("reserved", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "security_groups",
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
    )

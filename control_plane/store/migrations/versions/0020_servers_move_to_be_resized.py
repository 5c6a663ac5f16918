"""Room is kept for a server where it moves to be resized."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("holdings", sa.Column("grows", sa.Text(), nullable=True))
    op.add_column("holdings", sa.Column("flavor_id", sa.Text(), nullable=True))
    op.create_index(op.f("ix_holdings_grows"), "holdings", ["grows"], unique=True)

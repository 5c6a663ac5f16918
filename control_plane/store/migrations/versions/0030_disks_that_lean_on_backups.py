"""Disks that take from a recovery point what they do not hold yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("servers", sa.Column("backing", sa.Text()))
    op.add_column("volumes", sa.Column("backing", sa.Text()))

"""A restore test tells of each server how it was asked, and how soon it answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("restore_tests", sa.Column("servers", sa.JSON(none_as_null=True), nullable=True))

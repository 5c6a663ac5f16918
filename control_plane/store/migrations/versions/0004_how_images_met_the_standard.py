"""How each image met the admission standard. Those that were added before this have no report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("images", sa.Column("report", sa.JSON(none_as_null=True), nullable=True))

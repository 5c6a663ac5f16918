"""Sessions say whether they are for a project, and how they were come by. Those of before are for one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("scoped", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column(
        "sessions", sa.Column("methods", sa.Text(), nullable=False, server_default="token")
    )

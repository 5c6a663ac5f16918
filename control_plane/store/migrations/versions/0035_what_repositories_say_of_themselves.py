"""What a repository says of itself is remembered, so that it can be put right where it rots: no other
repository says the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("repositories", sa.Column("description", sa.Text(), nullable=True))

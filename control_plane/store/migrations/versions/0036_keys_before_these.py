"""A repository's key can be changed for another: which it was before, until nothing is wrapped by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("repositories", sa.Column("former_key_ref", sa.Text(), nullable=True))

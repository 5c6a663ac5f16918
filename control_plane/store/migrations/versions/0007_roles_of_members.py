"""What was the role of a member becomes the greater of a member's two roles, which may do as much."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("tokens", "audit_entries"):
        table = sa.table(name, sa.column("role", sa.Text()))
        op.execute(sa.update(table).where(table.c.role == "tenant").values(role="member-admin"))

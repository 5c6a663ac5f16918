"""Members' events have numbers of their own, which tell nothing of what goes on at others'."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("tenant_sequence", sa.BigInteger(), nullable=True))
    op.execute(
        """
        UPDATE events SET tenant_sequence = numbered.number
        FROM (
            SELECT sequence, row_number() OVER (PARTITION BY tenant ORDER BY sequence) AS number
            FROM events WHERE tenant IS NOT NULL
        ) AS numbered
        WHERE numbered.sequence = events.sequence
        """
    )
    op.create_index(
        "ix_events_tenant_tenant_sequence", "events", ["tenant", "tenant_sequence"], unique=True
    )

"""How far people were told of events, for each way of telling them.

Until now the place was kept in memory and people were told at once, so what stands here is history to
those who were listening: to the log, which every control plane writes. Without any event there is
none, and telling begins with the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    announced = op.create_table(
        "announced",
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("notifier", name=op.f("pk_announced")),
    )
    events = sa.table("events", sa.column("sequence", sa.BigInteger()))
    last = op.get_bind().scalar(sa.select(sa.func.max(events.c.sequence)))
    if last is not None:
        op.bulk_insert(announced, [{"notifier": "log", "sequence": last}])

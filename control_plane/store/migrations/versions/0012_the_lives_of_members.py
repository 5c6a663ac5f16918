"""Members have a life from application on; those of before are hosted, since their first system came."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    memberships = op.create_table(
        "memberships",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kana", sa.Text(), nullable=False),
        sa.Column("prefecture", sa.Text(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("blueprints", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("particulars", sa.JSON(), nullable=False),
        sa.Column("contact", sa.JSON(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_state"), "memberships", ["state"], unique=False)
    tenants = sa.table(
        "tenants", *(sa.column(c) for c in ("code", "name", "kana", "prefecture", "population"))
    )
    systems = sa.table(
        "systems",
        *(sa.column(c) for c in ("tenant", "region_id", "blueprint_id", "blueprint_version")),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    bind = op.get_bind()
    now = datetime.now(UTC).replace(tzinfo=None if bind.dialect.name == "sqlite" else UTC)
    rows = []
    for tenant in bind.execute(sa.select(tenants)).mappings():
        query = sa.select(systems).where(systems.c.tenant == tenant["code"])
        run = list(bind.execute(query.order_by(systems.c.created_at)))
        rows.append(
            {
                **tenant,
                "region_id": run[0].region_id if run else "",
                "blueprints": [[each.blueprint_id, each.blueprint_version] for each in run],
                "state": "hosted",
                "since": run[0].created_at if run else now,
                "particulars": {"own_site": None},
                "contact": {"name": None, "email": None, "phone": None},
                "operation_id": None,
                "generation": 1,
            }
        )
    if memberships is not None and rows:
        op.bulk_insert(memberships, rows)

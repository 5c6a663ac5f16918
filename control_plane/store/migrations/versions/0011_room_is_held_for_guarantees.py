"""Room that is kept for what is guaranteed and not used, with its refuges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holdings",
        _text("id"),
        _text("region_id"),
        _text("tenant"),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_gib", sa.BigInteger(), nullable=False),
        _text("zone"),
        _text("storage_id"),
        _text("host_id"),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_holdings_region_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.code"], name=op.f("fk_holdings_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holdings")),
    )
    for column in ("region_id", "tenant", "host_id"):
        op.create_index(op.f(f"ix_holdings_{column}"), "holdings", [column])
    op.create_table(
        "holding_refuges",
        _text("holding_id"),
        _text("domain_kind"),
        _text("domain_name"),
        _text("region_id"),
        _text("host_id"),
        sa.ForeignKeyConstraint(
            ["holding_id"], ["holdings.id"], name=op.f("fk_holding_refuges_holding_id")
        ),
        sa.ForeignKeyConstraint(
            ["region_id"], ["regions.id"], name=op.f("fk_holding_refuges_region_id")
        ),
        sa.PrimaryKeyConstraint(
            "holding_id", "domain_kind", "domain_name", name=op.f("pk_holding_refuges")
        ),
    )
    for column in ("region_id", "host_id"):
        op.create_index(op.f(f"ix_holding_refuges_{column}"), "holding_refuges", [column])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)

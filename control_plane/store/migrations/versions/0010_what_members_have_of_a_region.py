"""What is guaranteed to each member in each region, and what it may ask for at most.

Members of before are guaranteed what they use, as if they joined now, and half as much again is their
quota.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_AMOUNTS = ("vcpu", "memory_mib", "disk_gib")


def upgrade() -> None:
    op.create_table(
        "allotments",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        *(
            sa.Column(
                f"{kind}_{name}",
                sa.Integer() if name == "vcpu" else sa.BigInteger(),
                nullable=False,
            )
            for kind in ("guaranteed", "quota")
            for name in _AMOUNTS
        ),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("claims", sa.BigInteger(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.code"], name=op.f("fk_allotments_tenant")),
        sa.ForeignKeyConstraint(
            ["region_id"], ["regions.id"], name=op.f("fk_allotments_region_id")
        ),
        sa.PrimaryKeyConstraint("tenant", "region_id", name=op.f("pk_allotments")),
    )
    op.execute(
        "INSERT INTO allotments (tenant, region_id, guaranteed_vcpu, guaranteed_memory_mib,"
        " guaranteed_disk_gib, quota_vcpu, quota_memory_mib, quota_disk_gib, generation)"
        " SELECT tenant, region_id, sum(vcpu), sum(memory_mib), sum(disk_gib),"
        " (sum(vcpu) * 3 + 1) / 2, (sum(memory_mib) * 3 + 1) / 2, (sum(disk_gib) * 3 + 1) / 2, 1"
        " FROM servers GROUP BY tenant, region_id"
    )

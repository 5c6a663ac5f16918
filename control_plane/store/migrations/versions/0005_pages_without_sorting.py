"""Indexes by which a page of a long list is found without sorting all of it."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_servers_name", "servers", ["name"])
    op.create_index("ix_servers_tenant_id", "servers", ["tenant", "id"])
    op.create_index("ix_servers_system_id_id", "servers", ["system_id", "id"])
    op.drop_index("ix_servers_tenant", "servers")
    op.drop_index("ix_servers_system_id", "servers")
    op.create_index(
        "ix_operations_tenant_created_at_id", "operations", ["tenant", "created_at", "id"]
    )
    op.create_index(
        "ix_operations_state_created_at_id", "operations", ["state", "created_at", "id"]
    )

"""A server may be shelved: it holds no host, and no fence is why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BEFORE = (
    "(placement_kind = 'placed' AND host_id IS NOT NULL AND target_host_id IS NULL)"
    " OR (placement_kind = 'moving' AND host_id IS NOT NULL AND target_host_id IS NOT NULL)"
    " OR (placement_kind = 'stranded' AND host_id IS NULL AND target_host_id IS NULL"
    " AND stranded_by IS NOT NULL)"
)
_NOW = f"{_BEFORE} OR (placement_kind = 'shelved' AND host_id IS NULL AND target_host_id IS NULL)"


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        _allow_on_sqlite(bind)
        return
    name = op.f("ck_servers_placement")
    op.drop_constraint(name, "servers", type_="check")
    op.create_check_constraint(name, "servers", sa.text(_NOW))


def _allow_on_sqlite(bind: sa.Connection) -> None:
    """The check is widened in the description alone, as SQLite's documentation of ALTER TABLE says for
    changes that touch no row: other tables refer to `servers`, so that it can't be made anew."""
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = bind.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'servers' AND instr(sql, ?) > 0",
        (_BEFORE, _NOW, _BEFORE),
    )
    if changed.rowcount != 1:
        raise ValueError("the table of servers is not described as it was made")
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = OFF")

"""Servers that are restarted, resized and rebuilt, and systems of a member's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("systems", sa.Column("name", sa.Text(), nullable=False, server_default=""))
    op.add_column("systems", _flag("deleting"))
    op.add_column("servers", _flag("protected"))
    op.add_column("servers", _number("boot_since", sa.BigInteger()))
    op.add_column("servers", _flag("boot_hard"))
    op.add_column("servers", _number("disk_build", sa.Integer()))
    op.add_column("servers", _number("sized_since", sa.BigInteger()))
    op.add_column("sightings", _number("generation", sa.BigInteger()))
    op.add_column("sightings", _number("booted", sa.BigInteger()))
    op.create_table(
        "server_user_data",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_server_user_data_server_id")
        ),
        sa.PrimaryKeyConstraint("server_id", name=op.f("pk_server_user_data")),
    )


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _number(name: str, of: sa.types.TypeEngine[int]) -> sa.Column[int]:
    return sa.Column(name, of, nullable=False, server_default="0")

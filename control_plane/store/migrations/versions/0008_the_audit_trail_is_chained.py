"""The audit trail becomes chains of hashes, with room for signed heads and the keys that sign.

What is there already is chained in its order, as it stands now. The numbers of entries become places
without gaps. What members may not read of their own entries, such as where a server was moved to, is
told apart.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from control_plane.model.access import AuditEntry, Role
from control_plane.model.audit_chain import (
    START,
    apart,
    chain_of,
    document_of,
    entry_hash,
    link_hash,
)
from control_plane.store.columns import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AT_ONCE = 1000

_entries = sa.table(
    "audit_entries",
    sa.column("sequence", sa.BigInteger()),
    sa.column("at", UtcTime()),
    sa.column("principal", sa.Text()),
    sa.column("role", sa.Text()),
    sa.column("tenant", sa.Text()),
    sa.column("action", sa.Text()),
    sa.column("subject", sa.Text()),
    sa.column("outcome", sa.Text()),
    sa.column("fields", sa.JSON(none_as_null=True)),
    sa.column("hardware", sa.JSON(none_as_null=True)),
    sa.column("chain", sa.Text()),
    sa.column("position", sa.BigInteger()),
    sa.column("hash", sa.Text()),
    sa.column("link", sa.Text()),
)


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "audit_keys",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("vouched_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("own_signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_keys")),
        sa.UniqueConstraint("public", name=op.f("uq_audit_keys_public")),
    )
    op.add_column("audit_entries", sa.Column("hardware", sa.JSON(none_as_null=True)))
    op.add_column("audit_entries", sa.Column("chain", sa.Text()))
    op.add_column("audit_entries", sa.Column("position", sa.BigInteger()))
    op.add_column("audit_entries", sa.Column("hash", sa.Text()))
    op.add_column("audit_entries", sa.Column("link", sa.Text()))
    _chain_what_is_there()
    with op.batch_alter_table("audit_entries") as table:
        for name, kind in (
            ("chain", sa.Text()),
            ("position", sa.BigInteger()),
            ("hash", sa.Text()),
            ("link", sa.Text()),
        ):
            table.alter_column(name, existing_type=kind, nullable=False)
    op.create_index(
        "ix_audit_entries_chain_position", "audit_entries", ["chain", "position"], unique=True
    )


def _chain_what_is_there() -> None:
    bind = op.get_bind()
    ends: dict[str, tuple[int, str]] = {}
    sequence, link, last = 0, START, 0
    while True:
        query = sa.select(_entries).where(_entries.c.sequence > last)
        rows = bind.execute(query.order_by(_entries.c.sequence).limit(_AT_ONCE)).all()
        if not rows:
            return
        for row in rows:
            last = row.sequence
            chain = chain_of(row.tenant)
            position, previous = ends.get(chain, (0, START))
            entry = apart(
                AuditEntry(
                    at=row.at,
                    principal=row.principal,
                    role=None if row.role == "none" else Role(row.role),
                    tenant=row.tenant,
                    action=row.action,
                    subject=row.subject,
                    outcome=row.outcome,
                    fields=row.fields,
                    position=position + 1,
                ),
                secrets.token_hex(16),
            )
            hash = entry_hash(previous, document_of(entry))
            sequence += 1
            link = link_hash(link, sequence, chain, position + 1, hash)
            ends[chain] = (position + 1, hash)
            bind.execute(
                sa.update(_entries)
                .where(_entries.c.sequence == last)
                .values(
                    # Never greater than before, and free: places grow with the numbers.
                    sequence=sequence,
                    fields=entry.fields,
                    hardware=entry.hardware,
                    chain=chain,
                    position=position + 1,
                    hash=hash,
                    link=link,
                )
            )

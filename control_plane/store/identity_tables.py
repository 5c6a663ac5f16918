"""The tables of who may ask for what: people, programs, their tokens, and permissions for an emergency."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Table, Text, UniqueConstraint

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), index=True),
    Column("issuer", Text, nullable=False),
    # Null while it is an invitation.
    Column("subject", Text),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("role", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), index=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

break_glass = Table(
    "break_glass",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("tenant", Text, index=True),
    Column("permissions", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("told_over", Boolean, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("tenant", Text),
    Column("label", Text, nullable=False),
    Column("expires_at", UtcTime),
    Column("scopes", JSON(none_as_null=True)),
    # No foreign key: SQLite can't add one to a table that stands.
    Column("account_id", Text, index=True),
    Column("created_at", UtcTime),
    Column("last_used_at", UtcTime),
)

"""The tables of backups: where copies may lie, what was taken, and what is asked of the worker.

Members, systems, regions and sites are named without foreign keys wherever a row outlives them: a
recovery point is there to be restored when its system is gone. A standing is kept as its state, to choose
by, and as a document with all of it (`documents.py`)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

repositories = Table(
    "repositories",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("key_ref", Text, nullable=False),
    Column("prefecture", Text, nullable=False),
    Column("region_id", Text),
    Column("site_id", Text),
    Column("domains", JSON, nullable=False),
    Column("lock_days", Integer, nullable=False),
    Column("tenant", Text, index=True),
    Column("retired", Boolean, nullable=False),
    Column("checked_at", UtcTime),
    Column("trouble", Text),
    Column("description", Text),
    Column("former_key_ref", Text),
    Column("generation", BigInteger, nullable=False),
)

region_links = Table(
    "region_links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("regions", JSON, nullable=False),
    Column("mbit_per_s", Integer, nullable=False),
    Column("other_begins", Integer),
    Column("other_ends", Integer),
    Column("other_mbit_per_s", Integer, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

location_rules = Table(
    "location_rules",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("prefectures", JSON, nullable=False),
    Column("regions", JSON, nullable=False),
    Column("basis", Text, nullable=False),
    Column("decided_on", Date, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

backup_policies = Table(
    "backup_policies",
    metadata,
    Column("system_id", ForeignKey("systems.id", ondelete="CASCADE"), primary_key=True),
    Column("policy", JSON, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", UtcTime, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

recovery_points = Table(
    "recovery_points",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("system_id", Text, nullable=False),
    Column("system_name", Text, nullable=False),
    Column("region_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("taken_at", UtcTime, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("standing", JSON, nullable=False),
    Column("servers", JSON, nullable=False),
    Column("keep_until", UtcTime),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Index("ix_recovery_points_system_id_taken_at", "system_id", "taken_at"),
)

recovery_copies = Table(
    "recovery_copies",
    metadata,
    Column("point_id", ForeignKey("recovery_points.id"), primary_key=True),
    Column("repository_id", Text, primary_key=True, index=True),
    Column("state", Text, nullable=False),
    Column("standing", JSON, nullable=False),
)

backup_runs = Table(
    "backup_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("system_id", Text, nullable=False, index=True),
    Column("asked_at", UtcTime, nullable=False),
    Column("asked_by", Text),
    Column("copies", JSON, nullable=False),
    Column("keep_until", UtcTime),
    Column("point_id", Text),
    Column("operation_id", Text),
    Column("state", Text, nullable=False, index=True),
    Column("standing", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

restore_jobs = Table(
    "restore_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("point_id", Text, nullable=False, index=True),
    Column("system_id", Text, nullable=False),
    Column("target", JSON, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("made_system_id", Text),
    Column("operation_id", Text),
    Column("state", Text, nullable=False, index=True),
    Column("standing", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

restore_tests = Table(
    "restore_tests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("system_id", Text, nullable=False, index=True),
    Column("point_id", Text, nullable=False),
    Column("repository_id", Text, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime, nullable=False),
    Column("trouble", JSON(none_as_null=True)),
    Column("servers", JSON(none_as_null=True)),
)

disaster_declarations = Table(
    "disaster_declarations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("around", UtcTime, nullable=False),
    Column("before_seconds", BigInteger, nullable=False),
    Column("after_seconds", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("declared_by", Text, nullable=False),
    Column("declared_at", UtcTime, nullable=False),
    Column("region_id", Text),
    Column("tenants", JSON, nullable=False),
    Column("revoked_at", UtcTime),
    Column("revoked_by", Text),
    Column("revoked_reason", Text),
    Column("generation", BigInteger, nullable=False),
)

key_tasks = Table(
    "key_tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("errand", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("repository_id", Text),
    Column("recipient", Text),
    Column("state", Text, nullable=False, index=True),
    Column("standing", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

scrub_states = Table(
    "scrub_states",
    metadata,
    Column("repository_id", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("began_at", UtcTime, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("read_bytes", BigInteger, nullable=False),
    Column("passes", BigInteger, nullable=False),
    Column("passed_at", UtcTime),
)

scrub_findings = Table(
    "scrub_findings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("repository_id", Text, nullable=False, index=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("key", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("found_at", UtcTime, nullable=False),
    Column("points", JSON, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("standing", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

told_breaches = Table(
    # Of which shortfalls somebody was told, so that each is told once.
    "told_breaches",
    metadata,
    Column("system_id", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("repository_id", Text, primary_key=True),
    Column("since", UtcTime, nullable=False),
)

"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("sequence", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    op.create_table(
        "events",
        sa.Column("sequence", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("ja", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("member_en", sa.Text(), nullable=True),
        sa.Column("member_ja", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
    )
    op.create_index("ix_events_tenant_sequence", "events", ["tenant", "sequence"], unique=False)
    op.create_table(
        "fences",
        sa.Column("sequence", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_fences")),
        sa.UniqueConstraint(
            "host_id", "kind", "at", "by", name=op.f("uq_fences_host_id_kind_at_by")
        ),
    )
    op.create_index(op.f("ix_fences_host_id"), "fences", ["host_id"], unique=False)
    op.create_table(
        "flavors",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_gib", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flavors")),
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotent_answers")),
    )
    op.create_index(op.f("ix_idempotent_answers_at"), "idempotent_answers", ["at"], unique=False)
    op.create_table(
        "images",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("virtual_size_gib", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
    )
    op.create_index("ix_operations_created_at_id", "operations", ["created_at", "id"], unique=False)
    op.create_table(
        "regions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefectures", sa.JSON(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("promised", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regions")),
    )
    op.create_table(
        "tenants",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kana", sa.Text(), nullable=False),
        sa.Column("prefecture", sa.Text(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_tenants")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )
    op.create_table(
        "sites",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("guest_network", sa.Text(), nullable=False),
        sa.Column("guest_gateway", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_sites_region_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
    )
    op.create_index(op.f("ix_sites_region_id"), "sites", ["region_id"], unique=False)
    op.create_table(
        "systems",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("blueprint_id", sa.Text(), nullable=False),
        sa.Column("blueprint_version", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_systems_region_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.code"], name=op.f("fk_systems_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_systems")),
    )
    op.create_index(op.f("ix_systems_tenant"), "systems", ["tenant"], unique=False)
    op.create_table(
        "hosts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("zones", sa.JSON(), nullable=False),
        sa.Column("storage", sa.JSON(), nullable=False),
        sa.Column("traits", sa.JSON(), nullable=False),
        sa.Column("domains", sa.JSON(), nullable=False),
        sa.Column("endpoint", sa.JSON(), nullable=False),
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("health_kind", sa.Text(), nullable=False),
        sa.Column("health", sa.JSON(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_hosts_region_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_hosts_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
    )
    op.create_index(op.f("ix_hosts_region_id"), "hosts", ["region_id"], unique=False)
    op.create_index(op.f("ix_hosts_site_id"), "hosts", ["site_id"], unique=False)
    op.create_table(
        "storage_pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("capacity_gib", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_storage_pools_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_pools")),
    )
    op.create_index(op.f("ix_storage_pools_site_id"), "storage_pools", ["site_id"], unique=False)
    op.create_table(
        "servers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("flavor_id", sa.Text(), nullable=False),
        sa.Column("vcpu", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_gib", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("start_order", sa.Integer(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("placement_kind", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("target_host_id", sa.Text(), nullable=True),
        sa.Column("stranded_by", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("power", sa.Text(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=True),
        sa.Column("traits", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sites", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(placement_kind = 'placed' AND host_id IS NOT NULL AND target_host_id IS NULL) OR (placement_kind = 'moving' AND host_id IS NOT NULL AND target_host_id IS NOT NULL) OR (placement_kind = 'stranded' AND host_id IS NULL AND target_host_id IS NULL AND stranded_by IS NOT NULL)",
            name=op.f("ck_servers_placement"),
        ),
        sa.ForeignKeyConstraint(["flavor_id"], ["flavors.id"], name=op.f("fk_servers_flavor_id")),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_servers_host_id")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_servers_image_id")),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_servers_region_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_servers_site_id")),
        sa.ForeignKeyConstraint(
            ["storage_id"], ["storage_pools.id"], name=op.f("fk_servers_storage_id")
        ),
        sa.ForeignKeyConstraint(["system_id"], ["systems.id"], name=op.f("fk_servers_system_id")),
        sa.ForeignKeyConstraint(
            ["target_host_id"], ["hosts.id"], name=op.f("fk_servers_target_host_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.code"], name=op.f("fk_servers_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
        sa.UniqueConstraint("site_id", "address", name=op.f("uq_servers_site_id_address")),
    )
    op.create_index(op.f("ix_servers_host_id"), "servers", ["host_id"], unique=False)
    op.create_index(op.f("ix_servers_region_id"), "servers", ["region_id"], unique=False)
    op.create_index(op.f("ix_servers_storage_id"), "servers", ["storage_id"], unique=False)
    op.create_index(op.f("ix_servers_system_id"), "servers", ["system_id"], unique=False)
    op.create_index(op.f("ix_servers_target_host_id"), "servers", ["target_host_id"], unique=False)
    op.create_index(op.f("ix_servers_tenant"), "servers", ["tenant"], unique=False)
    op.create_table(
        "refuges",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("domain_kind", sa.Text(), nullable=False),
        sa.Column("domain_name", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_refuges_host_id")),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_refuges_region_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_refuges_server_id")),
        sa.PrimaryKeyConstraint("server_id", "domain_kind", "domain_name", name=op.f("pk_refuges")),
    )
    op.create_index(op.f("ix_refuges_host_id"), "refuges", ["host_id"], unique=False)
    op.create_index(op.f("ix_refuges_region_id"), "refuges", ["region_id"], unique=False)
    op.create_table(
        "sightings",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_sightings_server_id")),
        sa.PrimaryKeyConstraint("server_id", name=op.f("pk_sightings")),
    )
    op.create_table(
        "fence_words",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_fence_words_host_id")),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_fence_words")),
    )

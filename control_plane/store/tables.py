"""Every table of the control plane's state.

A change here needs a migration beside it; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from control_plane.store.columns import SEQUENCE, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

regions = Table(
    "regions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefectures", JSON, nullable=False),
    Column("policy", Text, nullable=False),
    Column("promised", JSON, nullable=False),
    Column("notice_days", Integer, nullable=False, server_default="14"),
)

sites = Table(
    "sites",
    metadata,
    Column("id", Text, primary_key=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("guest_network", Text, nullable=False),
    Column("guest_gateway", Text),
    Column("member_prefix", Integer),
)

storage_pools = Table(
    "storage_pools",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site_id", ForeignKey("sites.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("capacity_gib", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site_id", ForeignKey("sites.id"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("vcpu", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("zones", JSON, nullable=False),
    Column("storage", JSON, nullable=False),
    Column("traits", JSON, nullable=False),
    Column("domains", JSON, nullable=False),
    Column("endpoint", JSON, nullable=False),
    Column("duty", Text, nullable=False),
    Column("health_kind", Text, nullable=False),
    Column("health", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

fences = Table(
    "fences",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    # No foreign key: the evidence outlives the host's description.
    Column("host_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("host_id", "kind", "at", "by"),
)

fence_words = Table(
    "fence_words",
    metadata,
    Column("host_id", ForeignKey("hosts.id"), primary_key=True),
    Column("by", Text, nullable=False),
    Column("statement", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

flavors = Table(
    "flavors",
    metadata,
    Column("id", Text, primary_key=True),
    Column("vcpu", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("disk_gib", BigInteger, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("virtual_size_gib", BigInteger, nullable=False),
    Column("location", Text, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    # Null where it was added before there was an admission standard.
    Column("report", JSON(none_as_null=True)),
    # The member that brought it, and while nobody else sees it, the same again.
    Column("owner", Text, index=True),
    Column("private_to", Text),
    Column("properties", JSON(none_as_null=True)),
)

tenants = Table(
    "tenants",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kana", Text, nullable=False),
    Column("prefecture", Text, nullable=False),
    Column("population", Integer, nullable=False),
)

systems = Table(
    "systems",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False),
    Column("blueprint_id", Text, nullable=False),
    Column("blueprint_version", Integer, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("deleting", Boolean, nullable=False, server_default=false()),
)

servers = Table(
    "servers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    # The site of its storage: its address stays within that site's network wherever it runs.
    Column("site_id", ForeignKey("sites.id"), nullable=False),
    Column("tenant", ForeignKey("tenants.code"), nullable=False),
    Column("system_id", ForeignKey("systems.id"), nullable=False),
    Column("name", Text, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("flavor_id", ForeignKey("flavors.id"), nullable=False),
    Column("vcpu", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("disk_gib", BigInteger, nullable=False),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("zone", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("start_order", Integer, nullable=False),
    Column("storage_id", ForeignKey("storage_pools.id"), nullable=False, index=True),
    Column("address", Text, nullable=False),
    Column("placement_kind", Text, nullable=False),
    Column("host_id", ForeignKey("hosts.id"), index=True),
    Column("target_host_id", ForeignKey("hosts.id"), index=True),
    Column("stranded_by", JSON(none_as_null=True)),
    Column("power", Text, nullable=False),
    Column("deleting", Boolean, nullable=False),
    Column("group_id", Text),
    Column("traits", JSON(none_as_null=True)),
    Column("sites", JSON(none_as_null=True)),
    Column("generation", BigInteger, nullable=False),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("isolated", Boolean, nullable=False, server_default=false()),
    Column("boot_since", BigInteger, nullable=False, server_default="0"),
    Column("boot_hard", Boolean, nullable=False, server_default=false()),
    Column("disk_build", Integer, nullable=False, server_default="0"),
    Column("backing", Text),
    Column("sized_since", BigInteger, nullable=False, server_default="0"),
    # With the id behind, so that a page of one member's or one system's needs no sorting.
    Index("ix_servers_tenant_id", "tenant", "id"),
    Index("ix_servers_system_id_id", "system_id", "id"),
    UniqueConstraint("site_id", "address"),
    CheckConstraint(
        "(placement_kind = 'placed' AND host_id IS NOT NULL AND target_host_id IS NULL)"
        " OR (placement_kind = 'moving' AND host_id IS NOT NULL AND target_host_id IS NOT NULL)"
        " OR (placement_kind = 'stranded' AND host_id IS NULL AND target_host_id IS NULL"
        " AND stranded_by IS NOT NULL)"
        " OR (placement_kind = 'shelved' AND host_id IS NULL AND target_host_id IS NULL)",
        name="placement",
    ),
)

deleted_servers = Table(
    # So that what a host still has of one is known as Yui's own, however long that host was away.
    "deleted_servers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False),
)

sightings = Table(
    # Apart from `servers`, so that what drivers report never makes a decision lose its race.
    "sightings",
    metadata,
    Column("server_id", ForeignKey("servers.id"), primary_key=True),
    Column("seen", Text, nullable=False),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    Column("booted", BigInteger, nullable=False, server_default="0"),
)

server_user_data = Table(
    # Apart from `servers`, which are read by the thousand: it is needed only when one is started.
    "server_user_data",
    metadata,
    Column("server_id", ForeignKey("servers.id"), primary_key=True),
    Column("text", Text, nullable=False),
)

refuges = Table(
    "refuges",
    metadata,
    Column("server_id", ForeignKey("servers.id"), primary_key=True),
    Column("domain_kind", Text, primary_key=True),
    Column("domain_name", Text, primary_key=True),
    Column("region_id", ForeignKey("regions.id"), nullable=False, index=True),
    Column("host_id", ForeignKey("hosts.id"), nullable=False, index=True),
)

operations = Table(
    "operations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("tenant", Text),
    Column("state", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("fields", JSON(none_as_null=True)),
    Index("ix_operations_created_at_id", "created_at", "id"),
    Index("ix_operations_tenant_created_at_id", "tenant", "created_at", "id"),
    Index("ix_operations_state_created_at_id", "state", "created_at", "id"),
)

events = Table(
    "events",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("severity", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("ja", Text, nullable=False),
    Column("tenant", Text),
    Column("fields", JSON(none_as_null=True)),
    Column("member_en", Text),
    Column("member_ja", Text),
    # A member's own number of the event.
    Column("tenant_sequence", BigInteger),
    Index("ix_events_tenant_sequence", "tenant", "sequence"),
    Index("ix_events_subject_at", "subject", "at"),
    Index("ix_events_tenant_tenant_sequence", "tenant", "tenant_sequence", unique=True),
)

announced = Table(
    # The last event that people were told, for each way of telling them.
    "announced",
    metadata,
    Column("notifier", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

audit_entries = Table(
    # `sequence` and `link` are the place and hash in the chain over all, `position` and `hash` those
    # in the entry's own.
    "audit_entries",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("principal", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("tenant", Text),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("fields", JSON(none_as_null=True)),
    Column("hardware", JSON(none_as_null=True)),
    Column("chain", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("link", Text, nullable=False),
    Index("ix_audit_entries_chain_position", "chain", "position", unique=True),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    # As it was signed, to the letter.
    Column("at", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

audit_keys = Table(
    "audit_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("public", Text, nullable=False, unique=True),
    Column("at", Text, nullable=False),
    Column("vouched_by", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("own_signature", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    # Null once released; the row stays, so that its token keeps growing.
    Column("holder", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

idempotent_answers = Table(
    "idempotent_answers",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSON(none_as_null=True)),
    Column("at", UtcTime, nullable=False, index=True),
)

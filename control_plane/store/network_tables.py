"""The tables of members' networks, of what may pass in them, and of what hosts have made of it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from control_plane.store.columns import UtcTime
from control_plane.store.tables import metadata

segments = Table(
    # Rows stay for good: a host that was away may still carry the segment of a member that left, so
    # no other network is ever given its number.
    "segments",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
)

networks = Table(
    "networks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), nullable=False),
    Column("region_id", ForeignKey("regions.id"), nullable=False),
    Column("zone", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("segment", ForeignKey("segments.number"), nullable=False, unique=True),
    Column("offices", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("reserved", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("tenant", "region_id", "zone"),
)

subnets = Table(
    # `claims` is raised by whoever gives out an address of the block, so that it is not given back at
    # the same time.
    "subnets",
    metadata,
    Column("site_id", ForeignKey("sites.id"), primary_key=True),
    Column("addresses", Text, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("network_id", ForeignKey("networks.id"), nullable=False, index=True),
    Column("claims", BigInteger, nullable=False, server_default="0"),
)

security_groups = Table(
    "security_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", ForeignKey("tenants.code"), nullable=False),
    Column("name", Text, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("description", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("tenant", "name"),
)

server_groups = Table(
    # Of servers that are in others than their member's default group.
    "server_groups",
    metadata,
    Column("server_id", ForeignKey("servers.id"), primary_key=True),
    Column("group_id", ForeignKey("security_groups.id"), primary_key=True, index=True),
)

bindings = Table(
    "bindings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("provider", ForeignKey("tenants.code"), nullable=False, index=True),
    Column("consumer", ForeignKey("tenants.code"), nullable=False, index=True),
    Column("zone", Text, nullable=False),
    # Ids of servers are never given again, so those of removed ones may stay.
    Column("servers", JSON, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", UtcTime),
    Column("generation", BigInteger, nullable=False),
)

host_network_reports = Table(
    # The tag of the plan that a host last said it has made so.
    "host_network_reports",
    metadata,
    Column("host_id", ForeignKey("hosts.id"), primary_key=True),
    Column("applied", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

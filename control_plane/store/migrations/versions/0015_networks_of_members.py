"""Members have networks, security groups and bindings. Servers of before keep their addresses: their
sites go on sharing one guest network, and their members get the networks that they would have by now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_FIRST_SEGMENT = 10_000


def upgrade() -> None:
    op.add_column("sites", sa.Column("member_prefix", sa.Integer(), nullable=True))
    segments = op.create_table(
        "segments",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_segments")),
    )
    networks = op.create_table(
        "networks",
        _text("id"),
        _text("tenant"),
        _text("region_id"),
        _text("zone"),
        _text("name"),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("offices", sa.JSON(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_networks_region_id")),
        sa.ForeignKeyConstraint(["segment"], ["segments.number"], name=op.f("fk_networks_segment")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.code"], name=op.f("fk_networks_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_networks")),
        sa.UniqueConstraint("segment", name=op.f("uq_networks_segment")),
        sa.UniqueConstraint(
            "tenant", "region_id", "zone", name=op.f("uq_networks_tenant_region_id_zone")
        ),
    )
    op.create_table(
        "subnets",
        _text("site_id"),
        _text("addresses"),
        _text("gateway"),
        _text("network_id"),
        sa.Column("claims", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["networks.id"], name=op.f("fk_subnets_network_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_subnets_site_id")),
        sa.PrimaryKeyConstraint("site_id", "addresses", name=op.f("pk_subnets")),
    )
    op.create_index(op.f("ix_subnets_network_id"), "subnets", ["network_id"])
    groups = op.create_table(
        "security_groups",
        _text("id"),
        _text("tenant"),
        _text("name"),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenants.code"], name=op.f("fk_security_groups_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_groups")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_security_groups_tenant_name")),
    )
    op.create_table(
        "server_groups",
        _text("server_id"),
        _text("group_id"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["security_groups.id"], name=op.f("fk_server_groups_group_id")
        ),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_server_groups_server_id")
        ),
        sa.PrimaryKeyConstraint("server_id", "group_id", name=op.f("pk_server_groups")),
    )
    op.create_index(op.f("ix_server_groups_group_id"), "server_groups", ["group_id"])
    op.create_table(
        "bindings",
        *(_text(name) for name in ("id", "name", "provider", "consumer", "zone")),
        sa.Column("servers", sa.JSON(), nullable=False),
        _text("protocol"),
        sa.Column("port", sa.Integer(), nullable=False),
        *(_text(name) for name in ("reason", "state", "requested_by")),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["consumer"], ["tenants.code"], name=op.f("fk_bindings_consumer")),
        sa.ForeignKeyConstraint(["provider"], ["tenants.code"], name=op.f("fk_bindings_provider")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bindings")),
    )
    for side in ("provider", "consumer"):
        op.create_index(op.f(f"ix_bindings_{side}"), "bindings", [side])
    op.create_table(
        "host_network_reports",
        _text("host_id"),
        _text("applied"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["host_id"], ["hosts.id"], name=op.f("fk_host_network_reports_host_id")
        ),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_host_network_reports")),
    )
    _add_networks(segments, networks)
    _add_groups(groups)


def _add_networks(segments: sa.Table | None, networks: sa.Table | None) -> None:
    servers = sa.table("servers", *(sa.column(c) for c in ("tenant", "region_id", "zone")))
    query = sa.select(servers).distinct().order_by(*servers.c)
    rows: list[dict[str, object]] = []
    taken: set[str] = set()
    for number, row in enumerate(op.get_bind().execute(query), _FIRST_SEGMENT):
        id = f"m{row.tenant}-{row.zone}"
        rows.append(
            {
                "id": f"{id}-{number}" if id in taken else id,
                "tenant": row.tenant,
                "region_id": row.region_id,
                "zone": row.zone,
                "name": f"{row.region_id}-{row.zone}",
                "segment": number,
                "offices": [],
                "generation": 1,
            }
        )
        taken.add(id)
    if segments is not None and networks is not None and rows:
        op.bulk_insert(segments, [{"number": row["segment"]} for row in rows])
        op.bulk_insert(networks, rows)


def _add_groups(groups: sa.Table | None) -> None:
    tenants = sa.table("tenants", sa.column("code"))
    rows = [
        {
            "id": f"m{code}-default",
            "tenant": code,
            "name": "default",
            "rules": [
                {"direction": "egress", "protocol": "any"},
                {"direction": "ingress", "protocol": "any", "remote_group": f"m{code}-default"},
                {"direction": "ingress", "protocol": "any", "offices": True},
            ],
            "generation": 1,
        }
        for code in op.get_bind().scalars(sa.select(tenants.c.code))
    ]
    if groups is not None and rows:
        op.bulk_insert(groups, rows)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)

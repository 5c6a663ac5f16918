"""Networks that nobody named are called as their zone is, and none as another zone: tools look for them
by that name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_ZONES = ("mynumber", "lgwan", "internet")


def upgrade() -> None:
    networks = sa.table("networks", *(sa.column(c) for c in ("region_id", "zone", "name")))
    unnamed = networks.c.name == networks.c.region_id + "-" + networks.c.zone
    # Under its own zone's name a network stays as it is.
    misnamed = networks.c.name.in_(_ZONES)
    op.execute(sa.update(networks).where(unnamed | misnamed).values(name=networks.c.zone))

"""Whoever could act for a member can no more, once it has left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, update

from control_plane.store import identity_tables
from control_plane.store.rows import Rows, TenantName


@dataclass(frozen=True, slots=True)
class AccessEnded:
    """How many of each there were."""

    tokens: int
    users: int
    service_accounts: int


class DepartureWrites(Rows):
    def end_access(self, code: TenantName, by: str, at: datetime) -> AccessEnded:
        """Nobody acts for the member any more: its tokens' hashes, its programs and its users are
        deleted, and what was opened in an emergency is closed. Who they were stays in its audit trail."""
        name = str(code)
        grants, users = identity_tables.break_glass, identity_tables.users
        of_member = identity_tables.service_accounts.c.tenant == name
        self._connection.execute(
            update(grants)
            .where(grants.c.tenant == name, grants.c.closed_at.is_(None))
            .values(closed_at=at, closed_by=by)
        )
        tokens = self._connection.execute(
            delete(identity_tables.tokens).where(identity_tables.tokens.c.tenant == name)
        ).rowcount
        accounts = self._connection.execute(
            delete(identity_tables.service_accounts).where(of_member)
        ).rowcount
        people = self._connection.execute(delete(users).where(users.c.tenant == name)).rowcount
        return AccessEnded(tokens, people, accounts)

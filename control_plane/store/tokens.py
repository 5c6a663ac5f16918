"""Bearer tokens, of which only a hash is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.access import Permission, Role, Token
from control_plane.store import identity_tables
from control_plane.store.rows import Rows, TenantName, already_exists, not_found


class TokenReads(Rows):
    def token_by_id(self, id: str) -> Token | None:
        """None for one that never was or was revoked; whether it has expired is the caller's to
        see."""
        row = self._row(identity_tables.tokens, id)
        return None if row is None else _token(row)

    def tokens(
        self, tenant: TenantName | None = None, account: str | None = None
    ) -> tuple[Token, ...]:
        """By id; of that member or service account alone where one is named."""
        query = select(identity_tables.tokens).order_by(identity_tables.tokens.c.id)
        if tenant is not None:
            query = query.where(identity_tables.tokens.c.tenant == str(tenant))
        if account is not None:
            query = query.where(identity_tables.tokens.c.account_id == account)
        return tuple(_token(row) for row in self._connection.execute(query))


class TokenWrites(TokenReads):
    def add_token(self, token: Token) -> None:
        """Raises `token-exists`."""
        if self._exists(identity_tables.tokens, token.id):
            raise already_exists("token", token.id)
        self._connection.execute(
            insert(identity_tables.tokens).values(
                id=token.id,
                hash=token.hash,
                role=token.role.value,
                tenant=token.tenant,
                label=token.label,
                expires_at=token.expires_at,
                scopes=None if token.scopes is None else sorted(token.scopes),
                account_id=token.account,
                created_at=token.created_at,
                last_used_at=token.last_used_at,
            )
        )

    def set_last_used(self, used: Mapping[str, datetime]) -> None:
        """When tokens were last used, by their ids; those revoked meanwhile are passed over."""
        for id, at in used.items():
            self._connection.execute(
                update(identity_tables.tokens)
                .where(identity_tables.tokens.c.id == id)
                .values(last_used_at=at)
            )

    def revoke_token(self, id: str, tenant: TenantName | None = None) -> Token:
        """Answers what it was. With `tenant`, that member's alone. Raises `token-not-found`."""
        gone = delete(identity_tables.tokens).where(identity_tables.tokens.c.id == id)
        if tenant is not None:
            gone = gone.where(identity_tables.tokens.c.tenant == str(tenant))
        row = self._first(gone.returning(*identity_tables.tokens.c))
        if row is None:
            raise not_found("token", id)
        return _token(row)


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        row.id,
        row.hash,
        Role(row.role),
        row.tenant,
        row.label,
        row.expires_at,
        None if row.scopes is None else frozenset(Permission(name) for name in row.scopes),
        row.account_id,
        row.created_at,
        row.last_used_at,
    )

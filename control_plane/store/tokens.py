"""Bearer tokens, of which only a hash is kept."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Row

from control_plane.model.access import Role, Token
from control_plane.store import tables
from control_plane.store.rows import Rows, TenantName, already_exists


class TokenReads(Rows):
    def token_by_id(self, id: str) -> Token | None:
        """None for one that never was or was revoked; whether it has expired is the caller's to
        see."""
        row = self._first(select(tables.tokens).where(tables.tokens.c.id == id))
        return None if row is None else _token(row)

    def tokens(self, tenant: TenantName | None = None) -> tuple[Token, ...]:
        """By id."""
        query = select(tables.tokens).order_by(tables.tokens.c.id)
        if tenant is not None:
            query = query.where(tables.tokens.c.tenant == str(tenant))
        return tuple(_token(row) for row in self._connection.execute(query))


class TokenWrites(TokenReads):
    def add_token(self, token: Token) -> None:
        """Raises `token-exists`."""
        if self._exists(tables.tokens, token.id):
            raise already_exists("token", token.id)
        self._connection.execute(
            insert(tables.tokens).values(
                id=token.id,
                hash=token.hash,
                role=token.role.value,
                tenant=token.tenant,
                label=token.label,
                expires_at=token.expires_at,
            )
        )

    def revoke_token(self, id: str) -> None:
        """Raises `token-not-found`."""
        self._need("token", tables.tokens, id)
        self._connection.execute(delete(tables.tokens).where(tables.tokens.c.id == id))


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(row.id, row.hash, Role(row.role), row.tenant, row.label, row.expires_at)

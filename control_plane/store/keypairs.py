"""Members' key pairs, and the keys that servers were made with."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.engine import Row

from control_plane.model.ids import KeyPairId, ServerId
from control_plane.model.keypair import KeyPair, ServerKey
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.keypair_tables import keypairs, server_keys
from control_plane.store.rows import Rows, TenantName, already_exists, not_found

_AT_ONCE = 500
_KEYS_AMONG = select(server_keys).where(
    server_keys.c.server_id.in_(bindparam("among", expanding=True))
)


class KeyPairReads(Rows):
    def keypairs(
        self,
        tenant: TenantName | None = None,
        *,
        also: TenantName | None = None,
        named: str | None = None,
        after: KeyPairId | None = None,
        limit: int | None = None,
    ) -> tuple[KeyPair, ...]:
        """By id, beginning behind `after`; of those, of `tenant` and `also`, and of that name, that are
        said."""
        query = select(keypairs).order_by(keypairs.c.id)
        for owner in (tenant, also):
            if owner is not None:
                query = query.where(keypairs.c.tenant == str(owner))
        if named is not None:
            query = query.where(keypairs.c.name == named)
        if after is not None:
            query = query.where(keypairs.c.id > after)
        if limit is not None:
            query = query.limit(limit)
        return tuple(_keypair(row) for row in self._connection.execute(query))

    def keypair(self, id: KeyPairId, tenant: TenantName | None = None) -> KeyPair:
        """With `tenant`, another member's is not found."""
        row = self._row(keypairs, id)
        if row is None or (tenant is not None and row.tenant != str(tenant)):
            raise not_found("keypair", id)
        return _keypair(row)

    def keys_of_servers(self, ids: Collection[ServerId]) -> dict[ServerId, ServerKey]:
        """Of those that were made with one."""
        found: dict[ServerId, ServerKey] = {}
        wanted = sorted(ids)
        for at in range(0, len(wanted), _AT_ONCE):
            some = {"among": wanted[at : at + _AT_ONCE]}
            rows = self._connection.execute(_KEYS_AMONG, some)
            found.update((ServerId(row.server_id), _key(row)) for row in rows)
        return found


class KeyPairWrites(KeyPairReads):
    def add_keypair(self, keypair: KeyPair) -> KeyPair:
        """Raises `keypair-exists` where the member has one of that name."""
        if self.keypairs(keypair.tenant, named=keypair.name, limit=1):
            raise already_exists("keypair", keypair.name)
        self._connection.execute(
            insert(keypairs).values(
                id=keypair.id,
                tenant=keypair.tenant.text,
                name=keypair.name,
                public_key=keypair.public_key,
                fingerprint=keypair.fingerprint,
                made_by=keypair.made_by,
                created_at=keypair.created_at,
            )
        )
        return keypair

    def remove_keypair(self, id: KeyPairId) -> None:
        """Servers that were made with it keep its public half."""
        self._connection.execute(delete(keypairs).where(keypairs.c.id == id))

    def put_server_key(self, server: ServerId, key: ServerKey) -> None:
        """Given once, with the server; it goes with it."""
        self._connection.execute(
            insert(server_keys).values(server_id=server, name=key.name, public_key=key.public_key)
        )


def _keypair(row: Row[Any]) -> KeyPair:
    return KeyPair(
        KeyPairId(row.id),
        MunicipalityCode(row.tenant),
        row.name,
        row.public_key,
        row.fingerprint,
        row.made_by,
        row.created_at,
    )


def _key(row: Row[Any]) -> ServerKey:
    return ServerKey(row.name, row.public_key)

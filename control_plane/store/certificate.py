"""The certificate: which host is kept as the refuge of which server for which failure domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.store import tables
from control_plane.store.failures import LostRace
from control_plane.store.hosts import HostWrites
from control_plane.store.rows import Rows

Refuges = Mapping[tuple[FailureDomain, ServerId], HostId]
RefugeChanges = Mapping[tuple[FailureDomain, ServerId], HostId | None]
"""None takes the refuge away."""

_NAMES_AT_ONCE = 500


class CertificateReads(Rows):
    def refuges(self, region: RegionId) -> Refuges:
        """Every refuge in force."""
        refuges = tables.refuges
        found = self._connection.execute(
            select(
                refuges.c.domain_kind, refuges.c.domain_name, refuges.c.server_id, refuges.c.host_id
            ).where(refuges.c.region_id == region)
        )
        domains: dict[tuple[str, str], FailureDomain] = {}
        certificate: dict[tuple[FailureDomain, ServerId], HostId] = {}
        for kind, name, server, host in found:
            domain = domains.get((kind, name))
            if domain is None:
                domain = domains[kind, name] = FailureDomain(DomainKind(kind), name)
            certificate[domain, server] = host
        return certificate


class CertificateWrites(HostWrites, CertificateReads):
    def set_refuges(self, region: RegionId, changes: RefugeChanges) -> None:
        """Write the changes and raise the generation of every host that becomes a refuge.

        Raises LostRace when a server among them has been changed or removed in the meantime, since
        a refuge was then chosen for something that is no longer so.
        """
        if not changes:
            return
        self._hold_servers(sorted({server for _, server in changes}))
        self._mark_hosts(host for host in changes.values() if host is not None)
        gone = [_key(domain, server) for (domain, server), host in changes.items() if host is None]
        if gone:
            refuges = tables.refuges
            self._connection.execute(
                delete(refuges).where(
                    refuges.c.server_id == bindparam("server"),
                    refuges.c.domain_kind == bindparam("kind"),
                    refuges.c.domain_name == bindparam("name"),
                ),
                gone,
            )
        kept = [
            {**_key(domain, server), "region": region, "host": host}
            for (domain, server), host in changes.items()
            if host is not None
        ]
        if kept:
            self._upsert(kept)

    def _hold_servers(self, servers: Sequence[ServerId]) -> None:
        for start in range(0, len(servers), _NAMES_AT_ONCE):
            some = servers[start : start + _NAMES_AT_ONCE]
            query = (
                select(tables.servers.c.id)
                .where(tables.servers.c.id.in_(some))
                .order_by(tables.servers.c.id)
                .with_for_update(read=True)
            )
            missing = set(some) - set(self._connection.scalars(query))
            if missing:
                raise LostRace(f"server {min(missing)}")

    def _upsert(self, rows: list[dict[str, Any]]) -> None:
        dialect = postgresql if self._on_postgresql else sqlite
        statement = dialect.insert(tables.refuges).values(
            server_id=bindparam("server"),
            domain_kind=bindparam("kind"),
            domain_name=bindparam("name"),
            region_id=bindparam("region"),
            host_id=bindparam("host"),
        )
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["server_id", "domain_kind", "domain_name"],
                set_={"host_id": statement.excluded.host_id},
            ),
            rows,
        )


def _key(domain: FailureDomain, server: ServerId) -> dict[str, Any]:
    return {"server": server, "kind": domain.kind.value, "name": domain.name}

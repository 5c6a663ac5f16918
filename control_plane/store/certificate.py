"""The certificate: which host is kept as the refuge of which server for which failure domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.store import tables
from control_plane.store.at_once import rows_at_once
from control_plane.store.capacity_tables import holding_refuges
from control_plane.store.failures import LostRace
from control_plane.store.holdings import HoldingWrites, is_holding
from control_plane.store.hosts import HostWrites
from control_plane.store.rows import Rows

Refuges = Mapping[tuple[FailureDomain, ServerId], HostId]
RefugeChanges = Mapping[tuple[FailureDomain, ServerId], HostId | None]
"""None takes the refuge away."""

_NAMES_AT_ONCE = 500


class CertificateReads(Rows):
    def refuges(self, region: RegionId) -> Refuges:
        """Every refuge in force, of servers and of holdings."""
        refuges, held = tables.refuges, holding_refuges
        of_servers = select(
            refuges.c.domain_kind, refuges.c.domain_name, refuges.c.server_id, refuges.c.host_id
        ).where(refuges.c.region_id == region)
        of_holdings = select(
            held.c.domain_kind, held.c.domain_name, held.c.holding_id, held.c.host_id
        ).where(held.c.region_id == region)
        found = [
            row
            for query in (of_servers, of_holdings)
            for row in rows_at_once(self._connection, query)
        ]
        domains: dict[tuple[str, str], FailureDomain] = {}
        certificate: dict[tuple[FailureDomain, ServerId], HostId] = {}
        for kind, name, server, host in found:
            domain = domains.get((kind, name))
            if domain is None:
                domain = domains[kind, name] = FailureDomain(DomainKind(kind), name)
            certificate[domain, server] = host
        return certificate


class CertificateWrites(HoldingWrites, HostWrites, CertificateReads):
    def set_refuges(self, region: RegionId, changes: RefugeChanges) -> None:
        """Write the changes and raise the generation of every host that becomes a refuge.

        Raises LostRace when a server or holding among them has been changed or removed in the meantime, since
        a refuge was then chosen for something that is no longer so.
        """
        if not changes:
            return
        self._hold_servers(sorted({name for _, name in changes if not is_holding(name)}))
        self._hold_holdings({name for (_, name), host in changes.items() if host is not None})
        self._mark_hosts(host for host in changes.values() if host is not None)
        for of, held in ((tables.refuges, False), (holding_refuges, True)):
            mine = {key: host for key, host in changes.items() if is_holding(key[1]) == held}
            gone = [_key(*key) for key, host in mine.items() if host is None]
            if gone:
                name = of.primary_key.columns.values()[0]
                self._connection.execute(
                    delete(of).where(
                        name == bindparam("server"),
                        of.c.domain_kind == bindparam("kind"),
                        of.c.domain_name == bindparam("name"),
                    ),
                    gone,
                )
            kept = [
                {**_key(*key), "region": region, "host": host}
                for key, host in mine.items()
                if host is not None
            ]
            if kept:
                self._upsert(of, kept)

    def _hold_holdings(self, names: Iterable[ServerId]) -> None:
        missing = {name for name in names if is_holding(name)}
        missing -= self._known(missing)
        if missing:
            raise LostRace(f"holding {min(missing)}")

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

    def _upsert(self, of: Table, rows: list[dict[str, Any]]) -> None:
        dialect = postgresql if self._on_postgresql else sqlite
        name = of.primary_key.columns.values()[0].name
        statement = dialect.insert(of).values(
            {
                name: bindparam("server"),
                "domain_kind": bindparam("kind"),
                "domain_name": bindparam("name"),
                "region_id": bindparam("region"),
                "host_id": bindparam("host"),
            }
        )
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[name, "domain_kind", "domain_name"],
                set_={"host_id": statement.excluded.host_id},
            ),
            rows,
        )


def _key(domain: FailureDomain, server: ServerId) -> dict[str, Any]:
    return {"server": server, "kind": domain.kind.value, "name": domain.name}

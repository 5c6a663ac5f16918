"""The certificate: which host is kept as the refuge of which server for which failure domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Delete, Table, bindparam, delete, select
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

_held = tables.refuges.c
_OF_SERVERS = select(_held.domain_kind, _held.domain_name, _held.server_id, _held.host_id).where(
    _held.region_id == bindparam("region")
)
_held = holding_refuges.c
_OF_HOLDINGS = select(_held.domain_kind, _held.domain_name, _held.holding_id, _held.host_id).where(
    _held.region_id == bindparam("region")
)


class CertificateReads(Rows):
    def refuges(self, region: RegionId) -> Refuges:
        """Every refuge in force, of servers and of holdings."""
        found = [
            row
            for query in (_OF_SERVERS, _OF_HOLDINGS)
            for row in rows_at_once(self._connection, query, region=region)
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
                self._connection.execute(_giving_up(of), gone)
            kept = [
                {**_key(*key), "region": region, "host": host}
                for key, host in mine.items()
                if host is not None
            ]
            if kept:
                self._connection.execute(_keeping(of, self._on_postgresql), kept)

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


# Made once for servers and once for holdings.
@cache
def _giving_up(of: Table) -> Delete:
    return delete(of).where(
        of.primary_key.columns.values()[0] == bindparam("server"),
        of.c.domain_kind == bindparam("kind"),
        of.c.domain_name == bindparam("name"),
    )


@cache
def _keeping(of: Table, on_postgresql: bool) -> postgresql.Insert | sqlite.Insert:
    adding: postgresql.Insert | sqlite.Insert
    adding = postgresql.insert(of) if on_postgresql else sqlite.insert(of)
    name = of.primary_key.columns.values()[0].name
    statement = adding.values(
        {
            name: bindparam("server"),
            "domain_kind": bindparam("kind"),
            "domain_name": bindparam("name"),
            "region_id": bindparam("region"),
            "host_id": bindparam("host"),
        }
    )
    return statement.on_conflict_do_update(
        index_elements=[name, "domain_kind", "domain_name"],
        set_={"host_id": statement.excluded.host_id},
    )


def _key(domain: FailureDomain, server: ServerId) -> dict[str, Any]:
    return {"server": server, "kind": domain.kind.value, "name": domain.name}

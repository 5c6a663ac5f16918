"""Members' lives, from application on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.ids import BlueprintId, Generation, OperationId, RegionId
from control_plane.model.membership import Contact, Membership, MembershipState
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.store.failures import LostRace
from control_plane.store.membership_tables import memberships
from control_plane.store.membership_values import (
    particulars_of,
    standing_of,
    wanted_of,
    wanted_values,
)
from control_plane.store.rows import Rows, TenantName, not_found

_columns = memberships.c


class MembershipReads(Rows):
    def membership(self, code: TenantName) -> Membership:
        """Raises `tenant-not-found` for who never applied."""
        found = self.find_membership(code)
        if found is None:
            raise not_found("tenant", code)
        return found

    def find_membership(self, code: TenantName) -> Membership | None:
        row = self._row(memberships, code)
        return None if row is None else _membership(row)

    def membership_page(
        self,
        limit: int,
        after: str | None = None,
        *,
        owner: TenantName | None = None,
        prefecture: str | None = None,
        states: Iterable[MembershipState] | None = None,
    ) -> list[Membership]:
        """At most `limit` by code, beginning behind `after`."""
        query = select(memberships).order_by(_columns.code).limit(limit)
        if owner is not None:
            query = query.where(_columns.code == str(owner))
        if prefecture is not None:
            query = query.where(_columns.prefecture == prefecture)
        if states is not None:
            query = query.where(_columns.state.in_([state.value for state in states]))
        if after is not None:
            query = query.where(_columns.code > after)
        return [_membership(row) for row in self._connection.execute(query)]


class MembershipWrites(MembershipReads):
    def put_membership(self, membership: Membership) -> Membership:
        """Guarded by its generation, 0 for one that is new; answers it with the next. Raises LostRace."""
        values = _values(membership)
        code = membership.tenant.code.text
        if membership.generation == 0:
            if self.find_membership(code) is not None:
                raise LostRace(f"membership of {code}")
            self._connection.execute(insert(memberships).values(generation=1, **values))
        else:
            written = self._connection.execute(
                update(memberships)
                .where(_columns.code == code, _columns.generation == membership.generation)
                .values(generation=membership.generation + 1, **values)
            )
            if written.rowcount == 0:
                raise LostRace(f"membership of {code}")
        return replace(membership, generation=Generation(membership.generation + 1))


def _values(membership: Membership) -> dict[str, Any]:
    tenant = membership.tenant
    return {
        "code": tenant.code.text,
        "name": tenant.name,
        "kana": tenant.kana,
        "prefecture": tenant.prefecture,
        "population": tenant.population,
        "region_id": membership.region,
        "blueprints": [list(each) for each in membership.blueprints],
        "state": membership.state.value,
        "since": membership.standing.since,
        "particulars": particulars_of(membership.standing),
        "contact": asdict(membership.contact),
        "wanted": wanted_values(membership.wanted),
        "operation_id": membership.operation,
    }


def _membership(row: Row[Any]) -> Membership:
    return Membership(
        Tenant(MunicipalityCode(row.code), row.name, row.kana, row.prefecture, row.population),
        RegionId(row.region_id),
        tuple((BlueprintId(name), int(version)) for name, version in row.blueprints),
        standing_of(MembershipState(row.state), row.since, row.particulars),
        None if row.operation_id is None else OperationId(row.operation_id),
        Contact(**row.contact),
        wanted_of(row.wanted),
        Generation(row.generation),
    )

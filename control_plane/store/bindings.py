"""Bindings: what one member offers to another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update

from control_plane.model.ids import BindingId, Generation, ServerId
from control_plane.model.network import Binding, BindingState, Protocol
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.failures import LostRace
from control_plane.store.network_tables import bindings
from control_plane.store.rows import Rows, TenantName, already_exists, not_found


class BindingReads(Rows):
    def bindings(
        self,
        member: TenantName | None = None,
        *,
        also: TenantName | None = None,
        state: BindingState | None = None,
        after: BindingId | None = None,
        limit: int | None = None,
    ) -> tuple[Binding, ...]:
        """By id, beginning behind `after`; those that `member` and `also`, where said, are sides
        of."""
        query = select(bindings).order_by(bindings.c.id)
        for side in (member, also):
            if side is not None:
                query = query.where(_side(side))
        if state is not None:
            query = query.where(bindings.c.state == state.value)
        if after is not None:
            query = query.where(bindings.c.id > after)
        if limit is not None:
            query = query.limit(limit)
        return tuple(_binding(row) for row in self._connection.execute(query))

    def binding(self, id: BindingId, member: TenantName | None = None) -> Binding:
        """With `member`, one between others is not found."""
        query = select(bindings).where(bindings.c.id == id)
        if member is not None:
            query = query.where(_side(member))
        row = self._first(query)
        if row is None:
            raise not_found("binding", id)
        return _binding(row)


class BindingWrites(BindingReads):
    def add_binding(self, binding: Binding) -> Binding:
        if self._exists(bindings, binding.id):
            raise already_exists("binding", binding.id)
        self._connection.execute(insert(bindings).values(id=binding.id, **_values(binding)))
        return binding

    def save_binding(self, binding: Binding) -> Binding:
        """Answers it with the next generation. Raises LostRace when it has moved on since it was read."""
        saved = replace(binding, generation=Generation(binding.generation + 1))
        written = self._connection.execute(
            update(bindings)
            .where(bindings.c.id == binding.id, bindings.c.generation == binding.generation)
            .values(_values(saved))
        )
        if written.rowcount == 0:
            raise LostRace(f"binding {binding.id}")
        return saved

    def drop_bindings(self, member: TenantName) -> None:
        """All that it is a side of."""
        self._connection.execute(delete(bindings).where(_side(member)))


def _side(member: TenantName) -> Any:
    return or_(bindings.c.provider == str(member), bindings.c.consumer == str(member))


def _values(binding: Binding) -> dict[str, Any]:
    return {
        "name": binding.name,
        "provider": binding.provider.text,
        "consumer": binding.consumer.text,
        "zone": binding.zone.value,
        "servers": sorted(binding.servers),
        "protocol": binding.protocol.value,
        "port": binding.port,
        "reason": binding.reason,
        "state": binding.state.value,
        "requested_by": binding.requested_by,
        "requested_at": binding.requested_at,
        "decided_by": binding.decided_by,
        "decided_at": binding.decided_at,
        "generation": binding.generation,
    }


def _binding(row: Row[Any]) -> Binding:
    return Binding(
        id=BindingId(row.id),
        name=row.name,
        provider=MunicipalityCode(row.provider),
        consumer=MunicipalityCode(row.consumer),
        zone=Zone(row.zone),
        servers=tuple(ServerId(server) for server in row.servers),
        protocol=Protocol(row.protocol),
        port=row.port,
        reason=row.reason,
        state=BindingState(row.state),
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        generation=Generation(row.generation),
    )

"""Operations: the record of changes in progress that members and operators follow."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.engine import Row

from control_plane.model.ids import OperationId
from control_plane.model.operation import Operation, OperationState
from control_plane.store import tables
from control_plane.store.rows import Rows, TenantName, not_found


class OperationReads(Rows):
    def operations(
        self,
        tenant: TenantName | None = None,
        limit: int = 100,
        after: OperationId | None = None,
        *,
        state: OperationState | None = None,
        about: TenantName | None = None,
        subjects: Collection[str] | None = None,
    ) -> tuple[Operation, ...]:
        """Newest first, beginning behind `after`; those of `tenant`, who sees no others, of `about` and on
        any of `subjects`, where these are given. Raises `operation-not-found` for an unknown
        `after`."""
        operations = tables.operations
        query = select(operations).order_by(operations.c.created_at.desc(), operations.c.id.desc())
        for member in (tenant, about):
            if member is not None:
                query = query.where(operations.c.tenant == str(member))
        if subjects is not None:
            query = query.where(operations.c.subject.in_(subjects))
        if state is not None:
            query = query.where(operations.c.state == state.value)
        if after is not None:
            last = self.operation(after, tenant)
            query = query.where(
                tuple_(operations.c.created_at, operations.c.id)
                < tuple_(
                    last.created_at,
                    last.id,
                    types=[operations.c.created_at.type, operations.c.id.type],
                )
            )
        return tuple(_operation(row) for row in self._connection.execute(query.limit(limit)))

    def operation(self, id: OperationId, tenant: TenantName | None = None) -> Operation:
        """With `tenant`, another member's operation is not found."""
        query = select(tables.operations).where(tables.operations.c.id == id)
        if tenant is not None:
            query = query.where(tables.operations.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("operation", id)
        return _operation(row)


class OperationWrites(OperationReads):
    def put_operation(self, operation: Operation) -> None:
        """Add it, or write its progress."""
        values = {
            "kind": operation.kind,
            "subject": operation.subject,
            "tenant": operation.tenant,
            "state": operation.state.value,
            "done": operation.done,
            "total": operation.total,
            "created_at": operation.created_at,
            "updated_at": operation.updated_at,
            "error": None if operation.error is None else dict(operation.error),
            "fields": None if operation.fields is None else dict(operation.fields),
        }
        written = self._connection.execute(
            update(tables.operations).where(tables.operations.c.id == operation.id).values(values)
        )
        if written.rowcount == 0:
            self._connection.execute(insert(tables.operations).values(id=operation.id, **values))


def _operation(row: Row[tuple[object, ...]]) -> Operation:
    return Operation(
        OperationId(row.id),
        row.kind,
        row.subject,
        row.tenant,
        OperationState(row.state),
        row.done,
        row.total,
        row.created_at,
        row.updated_at,
        row.error,
        row.fields,
    )

"""How the work goes that keeps repositories in order."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Table, Text, delete, insert, select
from sqlalchemy.engine import Row

from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.model.backup.work import Trouble
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.columns import UtcTime
from control_plane.store.documents import document_of, value_of
from control_plane.store.rows import Rows
from control_plane.store.tables import metadata

upkeep = Table(
    "upkeep",
    metadata,
    Column("repository_id", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("work", Text, primary_key=True),
    Column("done_at", UtcTime),
    Column("failing_since", UtcTime),
    Column("trouble", JSON(none_as_null=True)),
    Column("told", Boolean, nullable=False),
)
_ALL = select(upkeep).order_by(upkeep.c.repository_id, upkeep.c.tenant, upkeep.c.work)


class UpkeepReads(Rows):
    def upkeep(self) -> tuple[Upkeep, ...]:
        """By repository, member and kind of work."""
        return tuple(_upkeep(row) for row in self._connection.execute(_ALL))


class UpkeepWrites(UpkeepReads):
    def put_upkeep(self, one: Upkeep) -> None:
        self.remove_upkeep(one)
        self._connection.execute(
            insert(upkeep).values(
                repository_id=one.repository,
                tenant=one.tenant.text,
                work=one.work.value,
                done_at=one.done_at,
                failing_since=one.failing_since,
                trouble=None if one.trouble is None else document_of(one.trouble),
                told=one.told,
            )
        )

    def remove_upkeep(self, one: Upkeep) -> None:
        self._connection.execute(
            delete(upkeep).where(
                upkeep.c.repository_id == one.repository,
                upkeep.c.tenant == one.tenant.text,
                upkeep.c.work == one.work.value,
            )
        )

    def remove_upkeep_of(self, repository: RepositoryId) -> None:
        self._connection.execute(delete(upkeep).where(upkeep.c.repository_id == repository))


def _upkeep(row: Row[Any]) -> Upkeep:
    return Upkeep(
        RepositoryId(row.repository_id),
        MunicipalityCode(row.tenant),
        UpkeepWork(row.work),
        row.done_at,
        row.failing_since,
        None if row.trouble is None else value_of(Trouble, row.trouble),
        row.told,
    )

"""Which points members say that they have at home."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Table, Text, delete, insert, select

from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.backup.member_copy import MemberCopy
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.columns import UtcTime
from control_plane.store.rows import Rows, TenantName
from control_plane.store.tables import metadata

member_copies = Table(
    "member_copies",
    metadata,
    Column("system_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("point_id", Text, nullable=False),
    Column("taken_at", UtcTime, nullable=False),
    Column("told_at", UtcTime, nullable=False),
    Column("told_by", Text, nullable=False),
)
"""Without foreign keys, as recovery points: both outlive the system."""


class MemberCopyReads(Rows):
    def member_copies(self, tenant: TenantName | None = None) -> Mapping[SystemId, MemberCopy]:
        """The newest of each system."""
        query = select(member_copies)
        if tenant is not None:
            query = query.where(member_copies.c.tenant == str(tenant))
        return {
            SystemId(row.system_id): MemberCopy(
                SystemId(row.system_id),
                MunicipalityCode(row.tenant),
                RecoveryPointId(row.point_id),
                row.taken_at,
                row.told_at,
                row.told_by,
            )
            for row in self._connection.execute(query)
        }


class MemberCopyWrites(MemberCopyReads):
    def put_member_copy(self, copy: MemberCopy) -> MemberCopy:
        """An older point than the one on record changes nothing. Returns what is on record then."""
        before = self.member_copies(copy.tenant).get(copy.system)
        if before is not None and before.taken_at > copy.taken_at:
            return before
        self._connection.execute(
            delete(member_copies).where(member_copies.c.system_id == copy.system)
        )
        self._connection.execute(
            insert(member_copies).values(
                system_id=copy.system,
                tenant=copy.tenant.text,
                point_id=copy.point,
                taken_at=copy.taken_at,
                told_at=copy.told_at,
                told_by=copy.told_by,
            )
        )
        return copy

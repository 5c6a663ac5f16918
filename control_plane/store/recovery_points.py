"""Systems' policies where they are not their blueprints', and the recovery points that were taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.backup.ids import BackupRunId, RecoveryPointId, RepositoryId
from control_plane.model.backup.points import (
    CopyStanding,
    PointCopy,
    PointStanding,
    RecoveryPointRecord,
    ServerPoint,
)
from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.backup.policy_document import policy_document, policy_from
from control_plane.model.ids import Generation, RegionId, SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.backup_tables import backup_policies, recovery_copies, recovery_points
from control_plane.store.documents import document_of, state_name, value_of
from control_plane.store.failures import LostRace
from control_plane.store.rows import Rows, TenantName, not_found
from control_plane.store.statements import chosen

# Made once: the worker asks for these at each of its turns.
_POLICIES = select(backup_policies)
_POINTS = select(recovery_points).order_by(recovery_points.c.id)
_LIVE = _POINTS.where(recovery_points.c.state.in_(("taking", "complete", "damaged")))
_HELD_IN = _POINTS.where(
    recovery_points.c.id.in_(
        select(recovery_copies.c.point_id).where(
            recovery_copies.c.repository_id == bindparam("repository"),
            recovery_copies.c.state != "gone",
        )
    )
)
_NEWEST = (
    select(recovery_points.c.system_id, func.max(recovery_points.c.taken_at).label("newest"))
    .where(recovery_points.c.state == "complete", recovery_points.c.taken_at <= bindparam("now"))
    .group_by(recovery_points.c.system_id)
)
_COPIES = (
    select(recovery_copies)
    .where(recovery_copies.c.point_id.in_(bindparam("points", expanding=True)))
    .order_by(recovery_copies.c.repository_id)
)


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """A system's own policy, instead of its blueprint's."""

    policy: BackupPolicy
    set_by: str
    set_at: datetime
    generation: Generation = Generation(1)


class RecoveryPointReads(Rows):
    def backup_policy(self, system: SystemId) -> SetPolicy | None:
        """None where the blueprint's holds."""
        row = self._row(backup_policies, system)
        return None if row is None else _policy(row)

    def backup_policies(self) -> Mapping[SystemId, SetPolicy]:
        rows = self._connection.execute(_POLICIES)
        return {SystemId(row.system_id): _policy(row) for row in rows}

    def recovery_points(
        self,
        tenant: TenantName | None = None,
        *,
        system: SystemId | None = None,
        systems: Collection[SystemId] | None = None,
        live: bool = False,
        after: RecoveryPointId | None = None,
        limit: int | None = None,
    ) -> tuple[RecoveryPointRecord, ...]:
        """By id, which is by when they were taken. `live`: what is being taken, whole or damaged, and not
        what was abandoned or has expired."""
        points = recovery_points.c
        query, values = chosen(
            _LIVE if live else _POINTS,
            {points.tenant: None if tenant is None else str(tenant), points.system_id: system},
            behind=(points.id, after),
            most=limit,
        )
        if systems is not None:
            query = query.where(points.system_id.in_(list(systems)))
        return self._with_copies(self._connection.execute(query, values).all())

    def recovery_point(
        self, id: RecoveryPointId, tenant: TenantName | None = None
    ) -> RecoveryPointRecord:
        """With `tenant`, another member's is not found."""
        points, member = recovery_points.c, None if tenant is None else str(tenant)
        query, values = chosen(_POINTS, {points.id: id, points.tenant: member})
        found = self._with_copies(self._connection.execute(query, values).all())
        if not found:
            raise not_found("recovery-point", id)
        return found[0]

    def points_in(self, repository: RepositoryId) -> tuple[RecoveryPointRecord, ...]:
        """Every point of which a copy lies there, is on its way, or is being removed."""
        held = self._connection.execute(_HELD_IN, {"repository": repository})
        return self._with_copies(held.all())

    def newest_points(self, now: datetime) -> Mapping[SystemId, datetime]:
        """When the newest whole point of each system was taken that is not after `now`."""
        rows = self._connection.execute(_NEWEST, {"now": now})
        return {SystemId(row.system_id): row.newest for row in rows}

    def _with_copies(self, rows: Sequence[Row[Any]]) -> tuple[RecoveryPointRecord, ...]:
        copies: defaultdict[str, list[PointCopy]] = defaultdict(list)
        for begin in range(0, len(rows), 500):
            some = [row.id for row in rows[begin : begin + 500]]
            for row in self._connection.execute(_COPIES, {"points": some}):
                standing: CopyStanding = value_of(CopyStanding, row.standing)
                copies[row.point_id].append(PointCopy(RepositoryId(row.repository_id), standing))
        return tuple(_point(row, copies[row.id]) for row in rows)


class RecoveryPointWrites(RecoveryPointReads):
    def set_backup_policy(self, system: SystemId, wanted: SetPolicy) -> SetPolicy:
        before = self.backup_policy(system)
        saved = replace(
            wanted, generation=Generation(1 if before is None else before.generation + 1)
        )
        self.unset_backup_policy(system)
        self._connection.execute(
            insert(backup_policies).values(
                system_id=system,
                policy=policy_document(saved.policy),
                set_by=saved.set_by,
                set_at=saved.set_at,
                generation=saved.generation,
            )
        )
        return saved

    def unset_backup_policy(self, system: SystemId) -> None:
        """The blueprint's holds again."""
        self._connection.execute(
            delete(backup_policies).where(backup_policies.c.system_id == system)
        )

    def add_recovery_point(self, point: RecoveryPointRecord) -> RecoveryPointRecord:
        self._connection.execute(
            insert(recovery_points).values(
                id=point.id,
                tenant=point.tenant.text,
                system_id=point.system,
                system_name=point.system_name,
                region_id=point.region,
                run_id=point.run,
                generation=1,
                **_of_point(point),
            )
        )
        self._put_copies(point)
        return replace(point, generation=Generation(1))

    def save_recovery_point(self, point: RecoveryPointRecord) -> RecoveryPointRecord:
        """With its copies; answers it with the next generation. Raises LostRace."""
        saved = replace(point, generation=Generation(point.generation + 1))
        written = self._connection.execute(
            update(recovery_points)
            .where(
                recovery_points.c.id == point.id, recovery_points.c.generation == point.generation
            )
            .values(generation=saved.generation, **_of_point(point))
        )
        if not written.rowcount:
            raise LostRace(f"recovery point {point.id}")
        self._connection.execute(
            delete(recovery_copies).where(recovery_copies.c.point_id == point.id)
        )
        self._put_copies(point)
        return saved

    def _put_copies(self, point: RecoveryPointRecord) -> None:
        if point.copies:
            self._connection.execute(
                insert(recovery_copies),
                [
                    {
                        "point_id": point.id,
                        "repository_id": each.repository,
                        "state": state_name(each.standing),
                        "standing": document_of(each.standing),
                    }
                    for each in point.copies
                ],
            )


def _policy(row: Row[Any]) -> SetPolicy:
    return SetPolicy(policy_from(row.policy), row.set_by, row.set_at, Generation(row.generation))


def _of_point(point: RecoveryPointRecord) -> dict[str, Any]:
    return {
        "taken_at": point.taken_at,
        "state": state_name(point.standing),
        "standing": document_of(point.standing),
        "servers": document_of(point.servers),
        "keep_until": point.keep_until,
        "stored_bytes": point.stored_bytes,
    }


def _point(row: Row[Any], copies: Sequence[PointCopy]) -> RecoveryPointRecord:
    return RecoveryPointRecord(
        id=RecoveryPointId(row.id),
        tenant=MunicipalityCode(row.tenant),
        system=SystemId(row.system_id),
        system_name=row.system_name,
        region=RegionId(row.region_id),
        run=BackupRunId(row.run_id),
        taken_at=row.taken_at,
        standing=value_of(PointStanding, row.standing),
        servers=value_of(tuple[ServerPoint, ...], row.servers),
        copies=tuple(copies),
        keep_until=row.keep_until,
        stored_bytes=row.stored_bytes,
        generation=Generation(row.generation),
    )

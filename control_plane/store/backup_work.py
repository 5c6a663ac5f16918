"""What is asked of the worker that carries backups out, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, Table, func, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.backup.ids import (
    BackupRunId,
    KeyTaskId,
    RecoveryPointId,
    RepositoryId,
    RestoreId,
    RestoreTestId,
)
from control_plane.model.backup.work import (
    BackupRun,
    KeyErrand,
    KeyStanding,
    KeyTask,
    RestoreJob,
    RestoreStanding,
    RestoreTarget,
    RestoreTest,
    RunStanding,
    Trouble,
)
from control_plane.model.health import HealthSeen
from control_plane.model.ids import Generation, OperationId, SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.backup_tables import (
    backup_runs,
    key_tasks,
    restore_jobs,
    restore_tests,
)
from control_plane.store.documents import document_of, state_name, value_of
from control_plane.store.failures import LostRace
from control_plane.store.rows import Rows, TenantName, not_found
from control_plane.store.statements import chosen

_OPEN_RUNS = ("requested", "running")
_OPEN_RESTORES = ("waiting", "restoring")
_OPEN_TASKS = ("asked", "agreed")


# Made once: the worker asks for these at each of its turns.
_last_asked = (
    select(backup_runs.c.system_id, func.max(backup_runs.c.asked_at).label("at"))
    .group_by(backup_runs.c.system_id)
    .subquery()
)
_LAST_FAILED = (
    select(backup_runs)
    .join(_last_asked, _last_asked.c.system_id == backup_runs.c.system_id)
    .where(backup_runs.c.asked_at == _last_asked.c.at, backup_runs.c.state == "failed")
)
_last_tested = (
    select(restore_tests.c.system_id, func.max(restore_tests.c.ended_at).label("at"))
    .group_by(restore_tests.c.system_id)
    .subquery()
)
_NEWEST_TESTS = (
    select(restore_tests)
    .join(_last_tested, _last_tested.c.system_id == restore_tests.c.system_id)
    .where(restore_tests.c.ended_at == _last_tested.c.at)
)


class BackupWorkReads(Rows):
    def _asked(
        self,
        table: Table,
        states: tuple[str, ...],
        tenant: TenantName | None,
        system: SystemId | None,
    ) -> CursorResult[Any]:
        """The oldest first; with `states`, those in one of them."""
        wanted: dict[ColumnElement[Any], object | None] = {}
        if tenant is not None:
            wanted[table.c.tenant] = str(tenant)
        if system is not None:
            wanted[table.c.system_id] = system
        query, values = chosen(_in_order(table, states), wanted)
        return self._connection.execute(query, values)

    def backup_runs(
        self,
        tenant: TenantName | None = None,
        *,
        system: SystemId | None = None,
        open_only: bool = False,
    ) -> tuple[BackupRun, ...]:
        """The oldest first."""
        found = self._asked(backup_runs, _OPEN_RUNS if open_only else (), tenant, system)
        return tuple(_run(row) for row in found)

    def backup_run(self, id: BackupRunId, tenant: TenantName | None = None) -> BackupRun:
        return _run(self._found("backup-run", backup_runs, id, tenant))

    def last_failed_runs(self) -> dict[SystemId, BackupRun]:
        """The newest run of each system whose newest has failed."""
        return {SystemId(r.system_id): _run(r) for r in self._connection.execute(_LAST_FAILED)}

    def restores(
        self,
        tenant: TenantName | None = None,
        *,
        system: SystemId | None = None,
        open_only: bool = False,
    ) -> tuple[RestoreJob, ...]:
        """The oldest first."""
        found = self._asked(restore_jobs, _OPEN_RESTORES if open_only else (), tenant, system)
        return tuple(_job(row) for row in found)

    def restore(self, id: RestoreId, tenant: TenantName | None = None) -> RestoreJob:
        return _job(self._found("restore", restore_jobs, id, tenant))

    def restore_tests(
        self, tenant: TenantName | None = None, *, system: SystemId | None = None
    ) -> tuple[RestoreTest, ...]:
        """The oldest first."""
        query = select(restore_tests).order_by(restore_tests.c.began_at, restore_tests.c.id)
        if tenant is not None:
            query = query.where(restore_tests.c.tenant == str(tenant))
        if system is not None:
            query = query.where(restore_tests.c.system_id == system)
        return tuple(_test(row) for row in self._connection.execute(query))

    def newest_restore_tests(self) -> dict[SystemId, RestoreTest]:
        """Of each system, however it ended."""
        return {SystemId(r.system_id): _test(r) for r in self._connection.execute(_NEWEST_TESTS)}

    def key_tasks(
        self, tenant: TenantName | None = None, *, open_only: bool = False
    ) -> tuple[KeyTask, ...]:
        """The oldest first."""
        found = self._asked(key_tasks, _OPEN_TASKS if open_only else (), tenant, None)
        return tuple(_task(row) for row in found)

    def key_task(self, id: KeyTaskId, tenant: TenantName | None = None) -> KeyTask:
        return _task(self._found("key-task", key_tasks, id, tenant))

    def _found(self, thing: str, table: Table, id: str, tenant: TenantName | None) -> Row[Any]:
        query = select(table).where(table.c.id == id)
        if tenant is not None:
            query = query.where(table.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found(thing, id)
        return row


class BackupWorkWrites(BackupWorkReads):
    def add_backup_run(self, run: BackupRun) -> BackupRun:
        values = {"id": run.id, "tenant": run.tenant.text, "system_id": run.system, "generation": 1}
        self._connection.execute(
            insert(backup_runs).values(
                **values,
                asked_at=run.asked_at,
                copies=list(run.copies),
                **_of_run(run),
            )
        )
        return replace(run, generation=Generation(1))

    def save_backup_run(self, run: BackupRun) -> BackupRun:
        """Raises LostRace."""
        return replace(run, generation=self._save(backup_runs, run, _of_run(run)))

    def add_restore(self, job: RestoreJob) -> RestoreJob:
        self._connection.execute(
            insert(restore_jobs).values(
                id=job.id,
                tenant=job.tenant.text,
                point_id=job.point,
                system_id=job.system,
                target=document_of(job.target),
                asked_by=job.asked_by,
                asked_at=job.asked_at,
                operation_id=job.operation,
                generation=1,
                **_of_job(job),
            )
        )
        return replace(job, generation=Generation(1))

    def save_restore(self, job: RestoreJob) -> RestoreJob:
        """Raises LostRace."""
        return replace(job, generation=self._save(restore_jobs, job, _of_job(job)))

    def add_restore_test(self, test: RestoreTest) -> None:
        self._connection.execute(
            insert(restore_tests).values(
                id=test.id,
                tenant=test.tenant.text,
                system_id=test.system,
                point_id=test.point,
                repository_id=test.repository,
                began_at=test.began_at,
                ended_at=test.ended_at,
                trouble=None if test.trouble is None else document_of(test.trouble),
                servers=document_of(test.servers),
            )
        )

    def add_key_task(self, task: KeyTask) -> KeyTask:
        self._connection.execute(
            insert(key_tasks).values(
                id=task.id,
                tenant=task.tenant.text,
                errand=task.errand.value,
                reason=task.reason,
                asked_at=task.asked_at,
                repository_id=task.repository,
                recipient=task.recipient,
                generation=1,
                **_of_standing(task.standing),
            )
        )
        return replace(task, generation=Generation(1))

    def save_key_task(self, task: KeyTask) -> KeyTask:
        """Raises LostRace."""
        values = _of_standing(task.standing)
        return replace(task, generation=self._save(key_tasks, task, values))

    def _save(
        self, table: Table, thing: BackupRun | RestoreJob | KeyTask, values: dict[str, Any]
    ) -> Generation:
        following = Generation(thing.generation + 1)
        written = self._connection.execute(
            update(table)
            .where(table.c.id == thing.id, table.c.generation == thing.generation)
            .values(generation=following, **values)
        )
        if not written.rowcount:
            raise LostRace(f"{table.name} {thing.id}")
        return following


@cache
def _in_order(table: Table, states: tuple[str, ...]) -> Select[Any]:
    query = select(table).order_by(table.c.asked_at, table.c.id)
    return query.where(table.c.state.in_(states)) if states else query


def _of_standing(standing: object) -> dict[str, Any]:
    return {"state": state_name(standing), "standing": document_of(standing)}


def _of_run(run: BackupRun) -> dict[str, Any]:
    return {
        "point_id": run.point,
        "asked_by": run.asked_by,
        "keep_until": run.keep_until,
        "operation_id": run.operation,
        **_of_standing(run.standing),
    }


def _of_job(job: RestoreJob) -> dict[str, Any]:
    return {"made_system_id": job.made, **_of_standing(job.standing)}


def _operation(row: Row[Any]) -> OperationId | None:
    return None if row.operation_id is None else OperationId(row.operation_id)


def _run(row: Row[Any]) -> BackupRun:
    return BackupRun(
        id=BackupRunId(row.id),
        tenant=MunicipalityCode(row.tenant),
        system=SystemId(row.system_id),
        asked_at=row.asked_at,
        standing=value_of(RunStanding, row.standing),
        copies=tuple(row.copies),
        asked_by=row.asked_by,
        keep_until=row.keep_until,
        point=None if row.point_id is None else RecoveryPointId(row.point_id),
        operation=_operation(row),
        generation=Generation(row.generation),
    )


def _job(row: Row[Any]) -> RestoreJob:
    return RestoreJob(
        id=RestoreId(row.id),
        tenant=MunicipalityCode(row.tenant),
        point=RecoveryPointId(row.point_id),
        system=SystemId(row.system_id),
        target=value_of(RestoreTarget, row.target),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        standing=value_of(RestoreStanding, row.standing),
        made=None if row.made_system_id is None else SystemId(row.made_system_id),
        operation=_operation(row),
        generation=Generation(row.generation),
    )


def _test(row: Row[Any]) -> RestoreTest:
    return RestoreTest(
        id=RestoreTestId(row.id),
        tenant=MunicipalityCode(row.tenant),
        system=SystemId(row.system_id),
        point=RecoveryPointId(row.point_id),
        repository=RepositoryId(row.repository_id),
        began_at=row.began_at,
        ended_at=row.ended_at,
        trouble=None if row.trouble is None else value_of(Trouble, row.trouble),
        servers=value_of(tuple[HealthSeen, ...], row.servers or ()),
    )


def _task(row: Row[Any]) -> KeyTask:
    return KeyTask(
        id=KeyTaskId(row.id),
        tenant=MunicipalityCode(row.tenant),
        errand=KeyErrand(row.errand),
        reason=row.reason,
        standing=value_of(KeyStanding, row.standing),
        asked_at=row.asked_at,
        repository=None if row.repository_id is None else RepositoryId(row.repository_id),
        recipient=row.recipient,
        generation=Generation(row.generation),
    )

"""What the worker writes down of restores, of proofs that restoring works, and of errands with keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from backup.records.steps import StepRefused, end_operation
from backup.records.telling import test_failed, test_passed
from control_plane.model.backup.ids import KeyTaskId, RepositoryId, RestoreId
from control_plane.model.backup.points import Complete, Proof
from control_plane.model.backup.work import (
    Agreed,
    KeyTask,
    RestoreJob,
    RestorePhase,
    RestoreTest,
    Restoring,
    Trouble,
    Waiting,
)
from control_plane.model.ids import SystemId
from control_plane.store import Snapshot, Transaction


def begin_restore(tx: Transaction, id: RestoreId, now: datetime, worker: str) -> RestoreJob:
    job = tx.restore(id)
    if not isinstance(job.standing, Waiting):
        raise StepRefused(f"restore {id} is {job.standing}")
    return tx.save_restore(replace(job, standing=job.standing.begin(now, worker)))


def enter_phase(tx: Transaction, id: RestoreId, phase: RestorePhase) -> RestoreJob:
    job = tx.restore(id)
    return tx.save_restore(replace(job, standing=replace(_under_way(job), phase=phase)))


def progress_restore(tx: Transaction, id: RestoreId, done: int, total: int) -> RestoreJob:
    """`done` of `total` bytes are written."""
    job = tx.restore(id)
    standing = _under_way(job)
    return tx.save_restore(replace(job, standing=replace(standing, done=done, total=total)))


def made_by_restore(tx: Transaction, id: RestoreId, system: SystemId) -> RestoreJob:
    """Which system it makes: said before its disks are filled."""
    job = tx.restore(id)
    _under_way(job)
    return tx.save_restore(replace(job, made=system))


def finish_restore(tx: Transaction, id: RestoreId, now: datetime) -> RestoreJob:
    job = tx.restore(id)
    end_operation(tx, job.operation, now, None)
    return tx.save_restore(replace(job, standing=_under_way(job).restored(now)))


def fail_restore(
    tx: Transaction, id: RestoreId, now: datetime, trouble: Trouble, again: datetime | None
) -> RestoreJob:
    """With `again` it is tried anew then."""
    job = tx.restore(id)
    standing = _under_way(job)
    if again is not None:
        return tx.save_restore(replace(job, standing=standing.again(again, trouble)))
    end_operation(tx, job.operation, now, trouble)
    return tx.save_restore(replace(job, standing=standing.fail(now, trouble)))


def restores_under_way(tx: Snapshot) -> tuple[RestoreJob, ...]:
    """For a worker that begins: what another has left."""
    return tuple(j for j in tx.restores(open_only=True) if isinstance(j.standing, Restoring))


def record_test(tx: Transaction, test: RestoreTest) -> None:
    """What came of restoring a point in isolation, with the event that tells it. One that failed says
    nothing of the point's bytes, which scrubbing looks at; the point stays what it is, unproven."""
    tx.add_restore_test(test)
    point = tx.recovery_point(test.point)
    if test.passed and isinstance(point.standing, Complete):
        proved = point.standing.proved(Proof(test.id, test.ended_at))
        tx.save_recovery_point(replace(point, standing=proved))
    tx.add_event(test_passed(point, test) if test.passed else test_failed(point, test))


def begin_key_step(
    tx: Transaction, id: KeyTaskId, repository: RepositoryId, now: datetime, record: str
) -> KeyTask:
    """On record before it is begun; `record` as in KeyStep."""
    task = tx.key_task(id)
    standing = _agreed(task).begin_step(repository, now, record)
    return tx.save_key_task(replace(task, standing=standing))


def end_key_step(
    tx: Transaction, id: KeyTaskId, repository: RepositoryId, now: datetime
) -> KeyTask | None:
    """None: it was noted before."""
    task = tx.key_task(id)
    standing = _agreed(task)
    ended = standing.end_step(repository, now)
    return None if ended == standing else tx.save_key_task(replace(task, standing=ended))


def hold_up_key_task(tx: Transaction, task: KeyTask, trouble: Trouble) -> bool:
    """It is tried again. Whether that is its first trouble."""
    standing = _agreed(task)
    if standing.trouble != trouble:
        tx.save_key_task(replace(task, standing=replace(standing, trouble=trouble)))
    return standing.trouble is None


def finish_key_task(tx: Transaction, task: KeyTask, now: datetime, result: str | None) -> KeyTask:
    """`result`: the sealed export in base64, or the record of what was destroyed; never a key."""
    return tx.save_key_task(replace(task, standing=_agreed(task).carried(now, result)))


def fail_key_task(tx: Transaction, task: KeyTask, now: datetime, trouble: Trouble) -> KeyTask:
    return tx.save_key_task(replace(task, standing=_agreed(task).fail(now, trouble)))


def _agreed(task: KeyTask) -> Agreed:
    if not isinstance(task.standing, Agreed):
        raise StepRefused(f"key task {task.id} is {task.standing}")
    return task.standing


def _under_way(job: RestoreJob) -> Restoring:
    if not isinstance(job.standing, Restoring):
        raise StepRefused(f"restore {job.id} is {job.standing}")
    return job.standing

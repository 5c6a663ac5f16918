"""What the worker writes down of points: begun, finished, failed, copied, expired. Each call is one step;
one that may not follow on what stands raises `StepRefused`, and a row that somebody else has changed
meanwhile LostRace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from backup.records.agenda import Expiry, WantedRun
from backup.records.steps import StepRefused, end_operation
from control_plane.journal.operations import draw
from control_plane.model.backup.ids import BackupRunId, RecoveryPointId, RepositoryId
from control_plane.model.backup.points import (
    Complete,
    Copying,
    CopyStanding,
    Damaged,
    Gone,
    Held,
    Leaving,
    PointCopy,
    RecoveryPointRecord,
    ServerPoint,
    Spoiled,
    Taking,
)
from control_plane.model.backup.work import BackupRun, Requested, Running, Trouble
from control_plane.store import Snapshot, Transaction


def new_point_id(taken_at: datetime) -> RecoveryPointId:
    """Ids follow each other as the points were taken."""
    moment = taken_at.astimezone(UTC).strftime("%Y%m%dt%H%M%Sz")
    return RecoveryPointId(f"rp-{moment.lower()}-{draw(8)}")


def request_run(tx: Transaction, wished: BackupRun) -> BackupRun:
    """At somebody's word. What the schedule waits to try again is done for them at once; what somebody has
    asked for already is what they get. Raises StepRefused while a run is under way."""
    for run in tx.backup_runs(system=wished.system, open_only=True):
        if not isinstance(run.standing, Requested):
            raise StepRefused(f"a run of {run.system} is under way")
        at_once = replace(run, standing=replace(run.standing, since=wished.asked_at))
        if run.asked_by is None:
            at_once = replace(
                at_once,
                asked_by=wished.asked_by,
                keep_until=wished.keep_until,
                operation=wished.operation,
            )
        return tx.save_backup_run(at_once)
    return tx.add_backup_run(wished)


def begin_run(
    tx: Transaction, wanted: WantedRun, now: datetime, worker: str
) -> tuple[BackupRun, RecoveryPointRecord]:
    """The run under way, and the point that it fills. Raises StepRefused where another run of the system
    is under way."""
    system = wanted.backup.system
    if any(
        isinstance(run.standing, Running)
        for run in tx.backup_runs(system=system.id, open_only=True)
    ):
        raise StepRefused(f"a run of {system.id} is under way")
    run = wanted.run or tx.add_backup_run(
        BackupRun(
            BackupRunId(f"br-{draw(12)}"),
            system.tenant,
            system.id,
            now,
            Requested(now),
            wanted.copies,
        )
    )
    if not isinstance(run.standing, Requested):
        raise StepRefused(f"run {run.id} is {run.standing}")
    point = tx.add_recovery_point(
        RecoveryPointRecord(
            id=new_point_id(now),
            tenant=system.tenant,
            system=system.id,
            system_name=wanted.backup.name,
            region=system.region,
            run=run.id,
            taken_at=now,
            standing=Taking(now),
            copies=(PointCopy(wanted.home.id, Copying(now)),),
            keep_until=run.keep_until,
        )
    )
    begun = replace(run, standing=run.standing.begin(now, worker), point=point.id)
    return tx.save_backup_run(begun), point


def progress_run(
    tx: Transaction, point: RecoveryPointId, done: int, total: int
) -> RecoveryPointRecord:
    """How far it is: `done` of `total` bytes."""
    found = tx.recovery_point(point)
    return tx.save_recovery_point(
        replace(
            found,
            copies=tuple(
                replace(each, standing=replace(each.standing, done=done, total=total))
                if isinstance(each.standing, Copying)
                else each
                for each in found.copies
            ),
        )
    )


def finish_run(
    tx: Transaction,
    run: BackupRun,
    now: datetime,
    servers: Sequence[ServerPoint],
    stored_bytes: int,
    *,
    taken_at: datetime | None = None,
) -> RecoveryPointRecord:
    """All manifests are written. `taken_at` is the moment that the point shows, where that is not when the
    run began."""
    point = _point_of(tx, run)
    if not isinstance(run.standing, Running) or not isinstance(point.standing, Taking):
        raise StepRefused(f"run {run.id} is {run.standing}, its point {point.standing}")
    tx.save_backup_run(replace(run, standing=run.standing.finish(now)))
    end_operation(tx, run.operation, now, None)
    return tx.save_recovery_point(
        replace(
            point,
            taken_at=taken_at or point.taken_at,
            standing=point.standing.complete(now),
            servers=tuple(servers),
            stored_bytes=stored_bytes,
            copies=tuple(
                replace(each, standing=each.standing.arrived(now, stored_bytes))
                if isinstance(each.standing, Copying)
                else each
                for each in point.copies
            ),
        )
    )


def fail_run(
    tx: Transaction, run: BackupRun, now: datetime, trouble: Trouble, again: datetime | None
) -> BackupRun:
    """What was begun of a point is abandoned; with `again` the run is tried anew then. Also for runs that a
    worker which is no more has left under way."""
    if not isinstance(run.standing, Running):
        raise StepRefused(f"run {run.id} is {run.standing}")
    point = _point_of(tx, run)
    if isinstance(point.standing, Taking):
        tx.save_recovery_point(
            replace(
                point,
                standing=point.standing.abandon(now, trouble.en),
                copies=tuple(replace(each, standing=Gone(now)) for each in point.copies),
            )
        )
    if again is None:
        end_operation(tx, run.operation, now, trouble)
        return tx.save_backup_run(replace(run, standing=run.standing.fail(now, trouble)))
    return tx.save_backup_run(replace(run, standing=run.standing.again(again, trouble)))


def runs_under_way(tx: Snapshot) -> tuple[BackupRun, ...]:
    """For a worker that begins: what another has left."""
    return tuple(r for r in tx.backup_runs(open_only=True) if isinstance(r.standing, Running))


# Copies


def begin_copy(
    tx: Transaction,
    point: RecoveryPointId,
    repository: RepositoryId,
    now: datetime,
    total: int = 0,
) -> RecoveryPointRecord:
    """A copy is on its way there; one that is so already goes on. What lay there spoiled is replaced.
    Raises StepRefused where it lies whole, or is being removed."""
    found = tx.recovery_point(point)
    copy = found.copy_in(repository)
    match None if copy is None else copy.standing:
        case Held() | Leaving() as standing:
            raise StepRefused(f"{point} in {repository} is {standing}")
        case Copying(since=since, done=done):
            return _put_copy(tx, found, repository, Copying(since, done, total))
        case _:
            return _put_copy(tx, found, repository, Copying(now, 0, total))


def progress_copy(
    tx: Transaction, point: RecoveryPointId, repository: RepositoryId, done: int
) -> RecoveryPointRecord:
    found = tx.recovery_point(point)
    standing = _standing(found, repository)
    if not isinstance(standing, Copying):
        raise StepRefused(f"{point} in {repository} is {standing}")
    return _put_copy(tx, found, repository, replace(standing, done=done))


def finish_copy(
    tx: Transaction,
    point: RecoveryPointId,
    repository: RepositoryId,
    now: datetime,
    stored_bytes: int,
) -> RecoveryPointRecord:
    """It was verified, and its manifests are written. A point that lay nowhere whole is whole again."""
    found = tx.recovery_point(point)
    standing = _standing(found, repository)
    if not isinstance(standing, Copying):
        raise StepRefused(f"{point} in {repository} is {standing}")
    if isinstance(found.standing, Damaged):
        found = replace(found, standing=found.standing.healed())
    return _put_copy(tx, found, repository, standing.arrived(now, stored_bytes))


# What goes


def expire(tx: Transaction, expiry: Expiry, now: datetime) -> RecoveryPointRecord:
    """From now on it is not restored from there. The worker takes the manifests away and then says
    `copy_removed`; where a lock holds them it does so when the lock has ended."""
    found = tx.recovery_point(expiry.point.id)
    copies = tuple(
        replace(each, standing=_let_go(each.standing, now))
        if each.repository in expiry.repositories
        else each
        for each in found.copies
    )
    left = [each for each in copies if not isinstance(each.standing, Gone | Leaving)]
    standing = found.standing
    if not left and isinstance(standing, Complete | Damaged):
        standing = standing.expire(now)
    return tx.save_recovery_point(replace(found, standing=standing, copies=copies))


def copy_removed(
    tx: Transaction, point: RecoveryPointId, repository: RepositoryId, now: datetime
) -> RecoveryPointRecord:
    found = tx.recovery_point(point)
    standing = _standing(found, repository)
    if not isinstance(standing, Leaving):
        raise StepRefused(f"{point} in {repository} is {standing}")
    return _put_copy(tx, found, repository, standing.gone(now))


def _let_go(standing: CopyStanding, now: datetime) -> CopyStanding:
    match standing:
        case Held() | Spoiled():
            return standing.let_go(now)
        case Copying():
            return standing.given_up(now)
        case _:
            return standing


def _put_copy(
    tx: Transaction, point: RecoveryPointRecord, repository: RepositoryId, standing: CopyStanding
) -> RecoveryPointRecord:
    others = tuple(each for each in point.copies if each.repository != repository)
    copies = sorted((*others, PointCopy(repository, standing)), key=lambda each: each.repository)
    return tx.save_recovery_point(replace(point, copies=tuple(copies)))


def _standing(point: RecoveryPointRecord, repository: RepositoryId) -> CopyStanding | None:
    copy = point.copy_in(repository)
    return None if copy is None else copy.standing


def _point_of(tx: Transaction, run: BackupRun) -> RecoveryPointRecord:
    if run.point is None:
        raise StepRefused(f"run {run.id} has no point")
    return tx.recovery_point(run.point)

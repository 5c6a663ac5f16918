"""What is on record of backups, as the API shows it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, cast

from backup.api.models import (
    BreachOut,
    DiskOut,
    FindingOut,
    HealthSeenOut,
    HookRunOut,
    KeyTaskOut,
    PointCopyOut,
    PointOut,
    PolicyIn,
    PolicyOut,
    RestoreOut,
    RestoreTestOut,
    ServerPointOut,
    StatusOut,
    WholePointOut,
)
from backup.records.estate import SystemBackup
from backup.records.lags import SystemStatus
from control_plane.http.principal import Principal
from control_plane.model.backup.check import PolicyRefusal
from control_plane.model.backup.objectives import Breach, lag
from control_plane.model.backup.points import (
    Abandoned,
    Copying,
    Damaged,
    Held,
    PointCopy,
    RecoveryPointRecord,
    Spoiled,
)
from control_plane.model.backup.policy_document import policy_document
from control_plane.model.backup.retention import Kept
from control_plane.model.backup.schedule import next_due
from control_plane.model.backup.scrubbing import Healed, ScrubFinding
from control_plane.model.backup.work import (
    Agreed,
    Asked,
    Cancelled,
    Carried,
    Failed,
    KeyErrand,
    KeyTask,
    RestoreJob,
    RestorePhase,
    RestoreStanding,
    RestoreTest,
    Restoring,
    Waiting,
)


def _state(standing: object) -> Any:
    return type(standing).__name__.lower()


def policy_out(
    backup: SystemBackup, refusals: Iterable[PolicyRefusal], newest: datetime | None, now: datetime
) -> PolicyOut:
    history = [] if newest is None else [newest]
    own = backup.own
    return PolicyOut(
        system=backup.system.id,
        of="blueprint" if own is None else "system",
        policy=PolicyIn.model_validate(policy_document(backup.policy)),
        repositories={place.value: each.id for place, each in backup.assigned.items()},
        refusals=[{"type": each.type, "en": each.en, "ja": each.ja} for each in refusals],
        next_at=next_due(backup.policy, history, now, backup.service_hours),
        set_by=None if own is None else own.set_by,
        set_at=None if own is None else own.set_at,
    )


def status_out(status: SystemStatus, now: datetime) -> StatusOut:
    backup, standing = status.backup, status.standing
    history = [] if standing.newest is None else [standing.newest]
    proven = standing.proven_at
    return StatusOut(
        system=backup.system.id,
        name=backup.name,
        tenant=backup.system.tenant.text,
        region=backup.system.region,
        tier=backup.system.tier,
        points=status.points,
        newest_at=standing.newest,
        lag_hours=_hours(standing.newest, now),
        rpo_hours=backup.policy.rpo_hours,
        newest_away_at=standing.newest_away,
        lag_away_hours=_hours(standing.newest_away, now),
        rpo_away_hours=backup.policy.rpo_away_hours,
        proven_at=proven,
        proof_age_days=None if proven is None else round((now - proven).total_seconds() / 86400, 2),
        next_at=next_due(backup.policy, history, now, backup.service_hours),
        by_repository={str(id): at for id, at in standing.by_repository.items()},
        breaches=[_breach(each, now) for each in status.breaches],
        member_copy_at=None if status.at_member is None else status.at_member.taken_at,
        member_copy_told_at=None if status.at_member is None else status.at_member.told_at,
    )


def _hours(newest: datetime | None, now: datetime) -> float | None:
    behind = lag(newest, now)
    return None if behind is None else round(behind.total_seconds() / 3600, 2)


def _breach(breach: Breach, now: datetime) -> BreachOut:
    en, ja = breach.sentences(now)
    return BreachOut(
        what=breach.what.value,
        since=breach.since,
        repository=breach.repository,
        place=None if breach.place is None else breach.place.value,
        en=en,
        ja=ja,
    )


def point_out(point: RecoveryPointRecord, backup: SystemBackup | None) -> PointOut:
    return PointOut(**_point(point, backup))


def whole_point_out(
    point: RecoveryPointRecord, backup: SystemBackup | None, kept: Iterable[Kept]
) -> WholePointOut:
    return WholePointOut(
        **_point(point, backup),
        servers=[
            ServerPointOut(
                server=each.server,
                name=each.name,
                consistency=each.consistency,
                disks=[
                    DiskOut(
                        name=disk.name,
                        bytes=disk.bytes,
                        read_bytes=disk.read_bytes,
                        changed_bytes=disk.changed_bytes,
                        how=disk.how,
                        why=disk.why,
                    )
                    for disk in each.disks
                ],
                lacks_dump=each.lacks_dump,
                container_group=each.container_group,
                changed_files=each.changed_files,
                hooks=[
                    HookRunOut(
                        hook=hook.hook,
                        before=hook.before,
                        end=hook.end.value,
                        well=hook.well,
                        seconds=round(hook.seconds, 1),
                        exit_status=hook.exit_status,
                        en=hook.sentence_en(each.name),
                        ja=hook.sentence_ja(each.name),
                    )
                    for hook in each.hooks
                ],
            )
            for each in point.servers
        ],
        kept=[
            {
                "why": each.why.value,
                "place": None if each.place is None else each.place.value,
                "copy": None
                if each.copy is None or backup is None
                else backup.policy.copies[each.copy].label,
            }
            for each in kept
        ],
    )


def _point(point: RecoveryPointRecord, backup: SystemBackup | None) -> dict[str, Any]:
    match point.standing:
        case Damaged(what=what):
            trouble: str | None = what
        case Abandoned(why=why):
            trouble = why
        case _:
            trouble = None
    return {
        "id": point.id,
        "system": point.system,
        "system_name": point.system_name,
        "tenant": point.tenant.text,
        "region": point.region,
        "taken_at": point.taken_at,
        "state": _state(point.standing),
        "trouble": trouble,
        "bytes": point.bytes,
        "stored_bytes": point.stored_bytes,
        "proven_at": point.proven_at,
        "keep_until": point.keep_until,
        "copies": [_copy(each, backup) for each in point.copies],
    }


def _copy(copy: PointCopy, backup: SystemBackup | None) -> PointCopyOut:
    place = None if backup is None else backup.places.get(copy.repository)
    stored = done = total = None
    match copy.standing:
        case Held(stored_bytes=held) | Spoiled(before=Held(stored_bytes=held)):
            stored = held
        case Copying(done=so_far, total=of):
            done, total = so_far, of
        case _:
            pass
    return PointCopyOut(
        repository=copy.repository,
        place=None if place is None else place.value,
        state=_state(copy.standing),
        since=copy.standing.since,
        stored_bytes=stored,
        done_bytes=done,
        total_bytes=total,
    )


def restore_out(job: RestoreJob) -> RestoreOut:
    standing, done, total, trouble = job.standing, None, None, None
    match standing:
        case Restoring(done=so_far, total=of):
            done, total = so_far, of
        case Failed(trouble=why) | Waiting(trouble=why):
            trouble = why
        case _:
            pass
    return RestoreOut(
        id=job.id,
        point=job.point,
        system=job.system,
        tenant=job.tenant.text,
        to=job.target.to.value,
        state=_restore_state(standing),
        asked_by=job.asked_by,
        asked_at=job.asked_at,
        since=standing.since,
        done_bytes=done,
        total_bytes=total,
        trouble_en=None if trouble is None else trouble.en,
        trouble_ja=None if trouble is None else trouble.ja,
        made=job.made,
        operation=job.operation,
    )


def _restore_state(standing: RestoreStanding) -> Any:
    if isinstance(standing, Waiting | Restoring) and standing.phase is not RestorePhase.FILLING:
        return standing.phase.value
    return _state(standing)


def test_out(test: RestoreTest) -> RestoreTestOut:
    return RestoreTestOut(
        id=test.id,
        tenant=test.tenant.text,
        system=test.system,
        point=test.point,
        repository=test.repository,
        began_at=test.began_at,
        seconds=test.seconds,
        passed=test.passed,
        trouble_en=None if test.trouble is None else test.trouble.en,
        trouble_ja=None if test.trouble is None else test.trouble.ja,
        servers=[
            HealthSeenOut(
                server=each.server,
                by=each.by,
                seconds=each.seconds,
                en=None if each.finding is None else each.finding.en,
                ja=None if each.finding is None else each.finding.ja,
            )
            for each in test.servers
        ],
    )


def finding_out(finding: ScrubFinding) -> FindingOut:
    standing = finding.standing
    return FindingOut(
        id=finding.id,
        repository=finding.repository,
        tenant=finding.tenant.text,
        what=finding.what,
        state=cast(Literal["found", "healed", "lost"], _state(standing)),
        found_at=finding.found_at,
        since=standing.since,
        healed_from=standing.source if isinstance(standing, Healed) else None,
        points=list(finding.points),
    )


def key_task_out(task: KeyTask, who: Principal) -> KeyTaskOut:
    standing, asked, agreed, trouble, result = task.standing, None, None, None, None
    match standing:
        case Asked(by=by):
            asked = by.label
        case Agreed(asked_by=by, by=second) | Carried(asked_by=by, by=second):
            asked, agreed = by.label, None if second is None else second.label
            trouble = standing.trouble if isinstance(standing, Agreed) else None
        case Failed(trouble=why):
            trouble = why
        case Cancelled():
            pass
    # Sealed or not: what keys become is for their member alone.
    of_reader = who.tenant == task.tenant
    if isinstance(standing, Carried) and (of_reader or task.errand is not KeyErrand.ESCROW):
        result = standing.result
    return KeyTaskOut(
        id=task.id,
        tenant=task.tenant.text,
        errand=task.errand.value,
        reason=task.reason,
        repository=task.repository,
        state=_state(standing),
        asked_by=asked,
        agreed_by=agreed,
        asked_at=task.asked_at,
        since=standing.since,
        trouble_en=None if trouble is None else trouble.en,
        trouble_ja=None if trouble is None else trouble.ja,
        result=result,
    )

"""The events of restores, and their entries in the audit log. Nothing in them says what is on the disks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backup.keeper.trouble import Setback
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import RestoreJob
from control_plane.model.hours import JAPAN
from control_plane.model.operation import Event, Severity

_TO = {
    "new": ("to a new system", "新しいシステムとして"),
    "in-place": ("in place", "元の場所に"),
    "region": ("to another region", "別のリージョンに"),
    "isolated": ("to an isolated network", "隔離ネットワークに"),
    "file": ("to files", "ファイルとして"),
}


def restored(
    job: RestoreJob,
    point: RecoveryPointRecord,
    used: Sequence[RepositoryId],
    at: datetime,
    result: str,
) -> Event:
    """`result`: the system or the folder that holds it now."""
    en, ja = _TO[job.target.to.value]
    taken = point.taken_at.astimezone(JAPAN)
    return Event(
        "restore.done",
        f"system:{job.system}",
        at,
        Severity.INFO,
        f"{point.system_name} as of {taken:%Y-%m-%d %H:%M} JST is restored {en} ({result}), read from {', '.join(used)}.",
        f"{point.system_name}({taken:%Y-%m-%d %H:%M} 時点)を{ja}復元しました({result})。使用したリポジトリ: {'、'.join(used)}。",
        tenant=job.tenant.text,
        fields={
            "restore": job.id,
            "point": point.id,
            "made": job.made,
            "repositories": list(used),
        },
    )


def set_back(job: RestoreJob, why: Setback, again: datetime, at: datetime) -> Event:
    local = again.astimezone(JAPAN)
    return _troubled(
        job,
        "restore.set-back",
        at,
        (
            f"The restore {job.id} of system {job.system} broke off and will be tried again at {local:%H:%M}:",
            f"システム {job.system} の復元 {job.id} が中断しました。{local:%H:%M} に再試行します。理由: ",
        ),
        why,
    )


def failed(job: RestoreJob, why: Setback, at: datetime) -> Event:
    return _troubled(
        job,
        "restore.failed",
        at,
        (
            f"The restore {job.id} of system {job.system} has failed, and what it had made is removed:",
            f"システム {job.system} の復元 {job.id} は失敗し、途中までのものは取り除きます。理由: ",
        ),
        why,
    )


def _troubled(
    job: RestoreJob, kind: str, at: datetime, said: tuple[str, str], why: Setback
) -> Event:
    en, ja = said
    return Event(
        kind,
        f"system:{job.system}",
        at,
        Severity.WARNING,
        f"{en} {why.full.en}",
        f"{ja}{why.full.ja}",
        tenant=job.tenant.text,
        fields={"restore": job.id},
        member_en=f"{en} {why.member.en}",
        member_ja=f"{ja}{why.member.ja}",
    )

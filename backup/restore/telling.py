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


def started(job: RestoreJob, point: RecoveryPointRecord, at: datetime, made: str) -> Event:
    """Before anything of it is copied."""
    taken = point.taken_at.astimezone(JAPAN)
    return _told(
        job,
        "restore.started",
        at,
        f"{point.system_name} as of {taken:%Y-%m-%d %H:%M} JST starts before its disks are restored ({made}): its servers read them from the recovery point, and they are copied meanwhile.",
        f"{point.system_name}({taken:%Y-%m-%d %H:%M} 時点)を、ディスクの復元が終わる前に起動します({made})。サーバーは復元ポイントからディスクを読み取りながら動き、その間に複写を進めます。",
    )


def unreadable(
    job: RestoreJob,
    point: RecoveryPointRecord,
    why: Setback,
    at: datetime,
    *,
    for_good: bool,
) -> Event:
    """`for_good`: no repository has it whole."""
    then_en, then_ja = (
        ("restore it from another recovery point", "別の復元ポイントから復元してください")
        if for_good
        else ("it goes on by itself once it can be read", "読み取れるようになれば自動で再開します")
    )
    en = f"What servers of {point.system_name} still need of recovery point {point.id} can't be read. A server that wants it stands still and is given nothing else; {then_en}."
    ja = f"{point.system_name} のサーバーが必要とする復元ポイント {point.id} のデータを読み取れません。必要になったサーバーは誤ったデータを読まないよう一時停止します。{then_ja}。"
    return Event(
        "restore.unreadable",
        f"system:{job.system}",
        at,
        Severity.WARNING,
        f"{en} {why.full.en}",
        f"{ja}{why.full.ja}",
        tenant=job.tenant.text,
        fields={"restore": job.id, "point": point.id},
        member_en=f"{en} {why.member.en}",
        member_ja=f"{ja}{why.member.ja}",
    )


def readable_again(job: RestoreJob, point: RecoveryPointRecord, at: datetime) -> Event:
    return _told(
        job,
        "restore.readable-again",
        at,
        f"Recovery point {point.id} can be read again, and the servers of {point.system_name} go on.",
        f"復元ポイント {point.id} を再び読み取れるようになり、{point.system_name} のサーバーは動作を続けます。",
    )


def _told(job: RestoreJob, kind: str, at: datetime, en: str, ja: str) -> Event:
    return Event(
        kind,
        f"system:{job.system}",
        at,
        Severity.INFO,
        en,
        ja,
        tenant=job.tenant.text,
        fields={"restore": job.id, "point": job.point},
    )


def files_left(job: RestoreJob, volume: str, count: int, at: datetime) -> Event:
    return Event(
        "restore.files-left",
        f"system:{job.system}",
        at,
        Severity.WARNING,
        f"{count} files of volume {volume} could not be made with all that they were, such as devices or attributes that the platform allows to nobody: see to these by hand.",
        f"ボリューム {volume} のファイル {count} 個を、元の状態どおりには復元できませんでした(プラットフォームが許可しないデバイスファイルや属性など)。個別に確認してください。",
        tenant=job.tenant.text,
        fields={"restore": job.id, "volume": volume, "files": count},
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

"""What people are told of errands with members' keys, and what the audit trail keeps of them: never a key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from backup.keeper.telling import PRINCIPAL
from backup.keeper.trouble import Setback
from control_plane.model.access import AuditEntry
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.work import KeyErrand, KeyTask, Trouble
from control_plane.model.hours import JAPAN
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode

_DONE = {
    KeyErrand.ESCROW: ("exported to their keeper", "預託用に書き出しました"),
    KeyErrand.ROTATE: ("rotated", "更新しました"),
    KeyErrand.DESTROY: (
        "destroyed: what they sealed can never be read again",
        "破棄しました。この鍵で暗号化したものは二度と読めません",
    ),
}
_NOT_DONE = {
    KeyErrand.ESCROW: ("exported", "書き出し"),
    KeyErrand.ROTATE: ("rotated", "更新"),
    KeyErrand.DESTROY: ("destroyed", "破棄"),
}


def keys_done(task: KeyTask, repositories: Sequence[str], at: datetime) -> Event:
    en, ja = _DONE[task.errand]
    where, where_ja = ", ".join(repositories), "、".join(repositories)
    return _event(
        task,
        f"backup.keys-{task.errand}",
        at,
        (
            f"The backup keys of member {task.tenant} ({where}) were {en}.",
            f"参加団体 {task.tenant} のバックアップ鍵({where_ja})を{ja}。",
        ),
        severity=_weight(task),
    )


def keys_step_done(task: KeyTask, repository: RepositoryId, at: datetime) -> Event:
    return _event(
        task,
        f"backup.keys-{task.errand}-step",
        at,
        (
            f"The backup keys of member {task.tenant} in repository '{repository}' were {_NOT_DONE[task.errand][0]} ({task.id}).",
            f"リポジトリ「{repository}」にある参加団体 {task.tenant} のバックアップ鍵を{_NOT_DONE[task.errand][1]}しました({task.id})。",
        ),
        severity=_weight(task),
    )


def destruction_begins(task: KeyTask, repositories: Sequence[str], at: datetime) -> Event:
    return _event(
        task,
        "backup.keys-destroy-begun",
        at,
        (
            f"The backup keys of member {task.tenant} are being destroyed in {', '.join(repositories)} ({task.id}): its recovery points there count no longer.",
            f"参加団体 {task.tenant} のバックアップ鍵の破棄を始めました({'、'.join(repositories)}、{task.id})。そこにある復元ポイントは、もう使えません。",
        ),
        severity=Severity.WARNING,
    )


def keys_held_up(task: KeyTask, why: Setback, at: datetime) -> Event:
    """It is tried again and again; told once for each task."""

    def said(trouble: Trouble) -> tuple[str, str]:
        en, ja = _NOT_DONE[task.errand]
        return (
            f"The backup keys of member {task.tenant} could not be {en} yet ({task.id}), which is tried again: {trouble.en}",
            f"参加団体 {task.tenant} のバックアップ鍵の{ja}はまだ完了していません({task.id})。自動的に再試行します。理由: {trouble.ja}",
        )

    return _event(
        task,
        "backup.keys-held-up",
        at,
        said(why.full),
        severity=Severity.WARNING,
        member=said(why.member),
    )


def keys_failed(task: KeyTask, why: Setback, at: datetime) -> Event:
    def said(trouble: Trouble) -> tuple[str, str]:
        en, ja = _NOT_DONE[task.errand]
        return (
            f"The backup keys of member {task.tenant} were not {en} ({task.id}): {trouble.en}",
            f"参加団体 {task.tenant} のバックアップ鍵の{ja}はできませんでした({task.id})。理由: {trouble.ja}",
        )

    return _event(
        task,
        "backup.keys-failed",
        at,
        said(why.full),
        severity=Severity.WARNING,
        member=said(why.member),
    )


def keys_entry(
    task: KeyTask,
    repositories: Iterable[str],
    at: datetime,
    *,
    step: str = "",
    outcome: str = "done",
    fields: Mapping[str, object] | None = None,
) -> AuditEntry:
    """`step` such as `begun`: of a task that takes several."""
    return AuditEntry(
        at=at,
        principal=PRINCIPAL,
        role=None,
        tenant=task.tenant.text,
        action=f"backup.keys-{task.errand}" + (f"-{step}" if step else ""),
        subject=f"member:{task.tenant}",
        outcome=outcome,
        fields={
            "key_task": task.id,
            "errand": task.errand.value,
            "repositories": sorted(repositories),
            **(fields or {}),
        },
    )


def rewrapped_keys(tenant: MunicipalityCode, repository: Repository, at: datetime) -> Event:
    return Event(
        "backup.keys-rewrap",
        f"member:{tenant}",
        at,
        Severity.INFO,
        f"The backup keys of member {tenant} in repository '{repository.id}' are wrapped by another repository key: the one before opens them no more.",
        f"リポジトリ「{repository.id}」にある参加団体 {tenant} のバックアップ鍵を、別のリポジトリ鍵で包み直しました。以前の鍵では開けません。",
        tenant=tenant.text,
    )


def rewrapped_entry(
    tenant: MunicipalityCode, repository: Repository, key_id: str, at: datetime
) -> AuditEntry:
    return AuditEntry(
        at=at,
        principal=PRINCIPAL,
        role=None,
        tenant=tenant.text,
        action="backup.keys-rewrap",
        subject=f"member:{tenant}",
        outcome="done",
        fields={"repositories": [repository.id], "key": key_id},
    )


def rewrapping_done(repository: Repository, former: str, at: datetime) -> Event:
    return Event(
        "repository.rewrapped",
        f"repository:{repository.id}",
        at,
        Severity.INFO,
        f"Every keyring in repository '{repository.id}' is wrapped by its new key: the one before ({former}) is needed no more.",
        f"リポジトリ「{repository.id}」のすべての鍵束を新しい鍵で包み直しました。以前の鍵({former})は不要です。",
    )


def rewrapping_held_up(repository: Repository, why: Setback, at: datetime) -> Event:
    return Event(
        "repository.rewrap-held-up",
        f"repository:{repository.id}",
        at,
        Severity.WARNING,
        f"The keys in repository '{repository.id}' are not all wrapped anew yet, which goes on by itself: {why.full.en}",
        f"リポジトリ「{repository.id}」の鍵束の包み直しはまだ完了していません。自動的に続けます。理由: {why.full.ja}",
    )


def moment(at: datetime) -> str:
    return f"{at.astimezone(JAPAN):%Y-%m-%d %H:%M}"


def _weight(task: KeyTask) -> Severity:
    return Severity.WARNING if task.errand is KeyErrand.DESTROY else Severity.INFO


def _event(
    task: KeyTask,
    kind: str,
    at: datetime,
    said: tuple[str, str],
    *,
    severity: Severity,
    member: tuple[str, str] | None = None,
) -> Event:
    return Event(
        kind,
        f"member:{task.tenant}",
        at,
        severity,
        *said,
        tenant=task.tenant.text,
        fields={"key_task": task.id, "errand": task.errand.value},
        member_en=None if member is None else member[0],
        member_ja=None if member is None else member[1],
    )

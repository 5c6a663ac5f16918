"""What those who look after repositories are told of the work that keeps them in order."""

from __future__ import annotations

from datetime import datetime

from control_plane.model.backup.places import Repository
from control_plane.model.backup.upkeep import UpkeepWork
from control_plane.model.backup.work import Trouble
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode

_HELD_UP = {
    UpkeepWork.COLLECTING: (
        "What was let go in repository {of} is not cleared away, and object locks are not extended",
        "リポジトリ{of}で、手放したデータの消去とオブジェクトロックの延長ができません",
    ),
    UpkeepWork.REREADING: (
        "Repository {of} can't be read again to see whether all is whole",
        "リポジトリ{of}のデータに損傷がないかを確認できません",
    ),
    UpkeepWork.HEALING: (
        "What is damaged in repository {of} can't be healed",
        "リポジトリ{of}の損傷したデータを修復できません",
    ),
    UpkeepWork.COPYING: (
        "Recovery points can't be copied to repository {of}",
        "リポジトリ{of}へ復元ポイントをコピーできません",
    ),
    UpkeepWork.TAKING_UP: (
        "Backups to repository {of} that broke off when a control plane ended can't be taken up",
        "コントロールプレーンの停止で中断したリポジトリ{of}へのバックアップを再開できません",
    ),
}
_NO_LONGER = {
    UpkeepWork.COLLECTING: (
        "Clearing repository {of} of what was let go, and extending locks there, is no longer held up.",
        "リポジトリ{of}での消去とオブジェクトロックの延長の滞りは解消しました。",
    ),
    UpkeepWork.REREADING: (
        "Reading repository {of} again to see whether all is whole is no longer held up.",
        "リポジトリ{of}のデータ確認の滞りは解消しました。",
    ),
    UpkeepWork.HEALING: (
        "Healing what is damaged in repository {of} is no longer held up.",
        "リポジトリ{of}のデータ修復の滞りは解消しました。",
    ),
    UpkeepWork.COPYING: (
        "Copies to repository {of} are no longer held up.",
        "リポジトリ{of}へのコピーの滞りは解消しました。",
    ),
    UpkeepWork.TAKING_UP: (
        "Backups to repository {of} that had broken off are no longer held up.",
        "リポジトリ{of}への中断したバックアップの滞りは解消しました。",
    ),
}


def held_up(
    work: UpkeepWork, repository: Repository, tenant: MunicipalityCode, why: Trouble, at: datetime
) -> Event:
    """For those who look after the place."""
    en, ja = _named(_HELD_UP[work], repository)
    return Event(
        "repository.upkeep-held-up",
        f"repository:{repository.id}",
        at,
        Severity.WARNING,
        f"{en} (member {tenant}): {why.en} It is tried again and again; `yui repository show` tells of each member.",
        f"{ja}(参加団体 {tenant})。自動的に再試行します。団体ごとの状態は `yui repository show` で確認できます。理由: {why.ja}",
        fields={"work": work.value, "tenant": tenant.text},
    )


def no_longer_held_up(work: UpkeepWork, repository: Repository, at: datetime) -> Event:
    en, ja = _named(_NO_LONGER[work], repository)
    return Event(
        "repository.upkeep-well",
        f"repository:{repository.id}",
        at,
        Severity.INFO,
        en,
        ja,
        fields={"work": work.value},
    )


def _named(said: tuple[str, str], repository: Repository) -> tuple[str, str]:
    en, ja = said
    return (
        en.format(of=f"'{repository.id}' ({repository.name})"),
        ja.format(of=f"「{repository.id}」({repository.name})"),
    )

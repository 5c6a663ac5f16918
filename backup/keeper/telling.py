"""What people are told of backups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from backup.keeper.trouble import Setback
from backup.records.estate import SystemBackup
from control_plane.drivers.backup_source import Consistency
from control_plane.model.backup.dumps import HookRun
from control_plane.model.backup.forecast import size_text
from control_plane.model.backup.objectives import Breach
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord, ServerPoint
from control_plane.model.backup.work import Trouble
from control_plane.model.full_read import WhyFull
from control_plane.model.hours import JAPAN
from control_plane.model.ids import SystemId
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode

PRINCIPAL = "backup-keeper"
"""The part of the control plane that carries backups out, as the audit trail calls it."""


@dataclass(frozen=True, slots=True)
class Backed:
    """The system of which something is told; it may be gone by now. `name` is for people."""

    system: SystemId
    tenant: MunicipalityCode
    name: str

    @staticmethod
    def by(backup: SystemBackup) -> Backed:
        return Backed(backup.system.id, backup.system.tenant, backup.name)

    @staticmethod
    def of(point: RecoveryPointRecord) -> Backed:
        return Backed(point.system, point.tenant, point.system_name)

    def __str__(self) -> str:
        return f"{self.name} ({self.system})"


_EXPECTED = (WhyFull.FIRST, WhyFull.NEW_DISK)
"""Nothing was there to go on from."""


def of_point(
    point: RecoveryPointRecord,
    before: RecoveryPointRecord | None,
    at: datetime,
    *,
    quiesce: bool,
) -> Iterator[Event]:
    """That a point is whole, and what is not as it was meant; `before` is the last whole one. `quiesce`:
    guests were asked to hold still."""
    of = Backed.of(point)
    yield taken(of, point, at)
    for server, why in _read_whole(point.servers):
        yield read_whole(of, server, at, why)
    for server in point.servers:
        for hook in server.hooks:
            if not hook.well and not _as_before(server, hook, before):
                yield hook_failed(of, server, hook, at)
    for part in point.servers:
        if part.changed_files:
            yield files_changed(of, part, at)
    silent = _newly_silent(point.servers, before) if quiesce else []
    if silent:
        yield not_quiesced(of, silent, at)


def taken(of: Backed, point: RecoveryPointRecord, at: datetime) -> Event:
    read = sum(disk.read_bytes for each in point.servers for disk in each.disks)
    stored = size_text(point.stored_bytes)
    return _event(
        of,
        "backup.taken",
        at,
        (
            f"{of} is backed up: recovery point {point.id}, {size_text(read)} read, {stored} added to the repository.",
            f"{of}をバックアップしました。復元ポイント {point.id}、読み取り {size_text(read)}、リポジトリへの追加 {stored}。",
        ),
        fields={"point": point.id, "read_bytes": read, "stored_bytes": point.stored_bytes},
    )


def read_whole(of: Backed, server: ServerPoint, at: datetime, why: Trouble) -> Event:
    """Where an earlier point was there to go on from."""
    return _event(
        of,
        "backup.read-whole",
        at,
        (
            f"Server {server.name} of {of}: {why.en} Only what had changed was stored.",
            f"{of} のサーバー {server.name}: {why.ja}保存したのは変更分だけです。",
        ),
        severity=Severity.WARNING,
        fields={"server": server.server},
    )


def hook_failed(of: Backed, server: ServerPoint, hook: HookRun, at: datetime) -> Event:
    """Of a point that was taken all the same."""
    if hook.before:
        en = f"A recovery point of {of} was taken without a dump that its policy names (dump failed): "
        ja = f"{of}の復元ポイントを、方針にあるダンプなしで取得しました(ダンプ失敗)。"
    else:
        en = f"A recovery point of {of} was taken, and what was to run afterwards did not go well: "
        ja = f"{of}の復元ポイントを取得しましたが、取得後の処理に失敗しました。"
    return _event(
        of,
        "backup.dump-failed" if hook.before else "backup.hook-failed",
        at,
        (en + hook.sentence_en(server.name), ja + hook.sentence_ja(server.name)),
        severity=Severity.WARNING,
        fields={"server": server.server, "hook": hook.hook},
    )


def files_changed(of: Backed, group: ServerPoint, at: datetime) -> Event:
    """Which they were is told by the point itself, to those who can read it."""
    count = group.changed_files
    return _event(
        of,
        "backup.files-changed",
        at,
        (
            f"{count} files of container group {group.name} of {of} were written while they were read, so they may be of no one moment: let it be stopped, or held ready by a command of its own, while it is backed up.",
            f"{of} のコンテナーグループ {group.name} のファイル {count} 個が読み取り中に書き換えられたため、1つの時点の内容とは限りません。バックアップ中は停止するか、専用のコマンドで書き込みを止める設定にしてください。",
        ),
        severity=Severity.WARNING,
        fields={"container_group": group.server, "files": count},
    )


def not_quiesced(of: Backed, servers: Iterable[ServerPoint], at: datetime) -> Event:
    names = [each.name for each in servers]
    return _event(
        of,
        "backup.not-quiesced",
        at,
        (
            f"The guest agent of {', '.join(names)} of {of} did not answer, so its disks are backed up as after a power cut: install or start the agent.",
            f"{of}の {'、'.join(names)} でゲストエージェントが応答しないため、電源断の直後と同じ状態でバックアップしました。エージェントを導入または起動してください。",
        ),
        severity=Severity.WARNING,
    )


def set_back(of: Backed, why: Setback, again: datetime, at: datetime) -> Event:
    def said(trouble: Trouble) -> tuple[str, str]:
        local = again.astimezone(JAPAN)
        return (
            f"{of} could not be backed up and will be tried again at {local:%H:%M}: {trouble.en}",
            f"{of}をバックアップできませんでした。{local:%H:%M} に再試行します。理由: {trouble.ja}",
        )

    severity = Severity.WARNING
    return _event(
        of, "backup.failed", at, said(why.full), severity=severity, member=said(why.member)
    )


def given_up(of: Backed, why: Setback, at: datetime) -> Event:
    def said(trouble: Trouble) -> tuple[str, str]:
        return (
            f"The backup of {of} that was asked for was given up: {trouble.en}",
            f"依頼された{of}のバックアップは取りやめになりました。理由: {trouble.ja}",
        )

    severity = Severity.WARNING
    return _event(
        of, "backup.failed", at, said(why.full), severity=severity, member=said(why.member)
    )


def does_not_answer(repository: Repository, why: Setback, at: datetime) -> Event:
    """For those who look after the place; a member hears of it once an objective is missed."""
    return Event(
        "repository.trouble",
        f"repository:{repository.id}",
        at,
        Severity.WARNING,
        f"Nothing can be backed up to repository '{repository.id}' ({repository.name}) just now: {why.full.en} It is tried again and again.",
        f"リポジトリ「{repository.id}」({repository.name})に現在バックアップできません。自動的に再試行します。理由: {why.full.ja}",
    )


def answers_again(repository: Repository, at: datetime) -> Event:
    return Event(
        "repository.well",
        f"repository:{repository.id}",
        at,
        Severity.INFO,
        f"Repository '{repository.id}' ({repository.name}) takes backups again.",
        f"リポジトリ「{repository.id}」({repository.name})へのバックアップが再開しました。",
    )


def missed(of: Backed, breach: Breach, at: datetime) -> Event:
    en, ja = breach.sentences(at)
    return _event(
        of,
        f"backup.{breach.what}",
        at,
        (f"{of}: {en}.", f"{of}: {ja}。"),
        severity=Severity.WARNING,
        fields=None if breach.repository is None else {"repository": breach.repository},
    )


def kept_again(of: Backed, at: datetime) -> Event:
    return _event(
        of,
        "backup.objectives-met",
        at,
        (
            f"{of}: its backups are as its policy says again.",
            f"{of}: バックアップは再び方針どおりです。",
        ),
    )


def _read_whole(servers: Iterable[ServerPoint]) -> Iterator[tuple[ServerPoint, Trouble]]:
    """Those of which something was read whole that an earlier point had; one reason each."""
    for server in servers:
        whys = [disk.why for disk in server.disks if disk.why not in (None, *_EXPECTED)]
        if whys:
            why = WhyFull(whys[0])
            yield server, Trouble(why.en, why.ja)


def _as_before(server: ServerPoint, hook: HookRun, before: RecoveryPointRecord | None) -> bool:
    """It went the same way the last time: it is told once."""
    servers = () if before is None else before.servers
    went = {replace(h, seconds=0.0) for s in servers if s.server == server.server for h in s.hooks}
    return replace(hook, seconds=0.0) in went


def _newly_silent(
    servers: Iterable[ServerPoint], before: RecoveryPointRecord | None
) -> list[ServerPoint]:
    """Whose agent did not answer, unless that was so the last time: it is told once."""
    known = set() if before is None else {each.server for each in before.servers if _crash(each)}
    return [each for each in servers if _crash(each) and each.server not in known]


def _crash(point: ServerPoint) -> bool:
    """What runs in containers has no agent that could have answered."""
    return point.consistency == Consistency.CRASH and not point.container_group


def _event(
    of: Backed,
    kind: str,
    at: datetime,
    said: tuple[str, str],
    *,
    severity: Severity = Severity.INFO,
    fields: Mapping[str, object] | None = None,
    member: tuple[str, str] | None = None,
) -> Event:
    return Event(
        kind,
        f"system:{of.system}",
        at,
        severity,
        *said,
        tenant=of.tenant.text,
        fields=fields,
        member_en=None if member is None else member[0],
        member_ja=None if member is None else member[1],
    )

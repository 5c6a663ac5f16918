"""The events that tell of proofs and of damage. Nothing in them says what is in a point."""

from __future__ import annotations

from datetime import datetime

from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.scrubbing import ScrubFinding
from control_plane.model.backup.work import RestoreTest
from control_plane.model.health import UNTESTED
from control_plane.model.hours import JAPAN
from control_plane.model.operation import Event, Severity


def test_passed(point: RecoveryPointRecord, test: RestoreTest) -> Event:
    taken = point.taken_at.astimezone(JAPAN)
    left_out = [each.server for each in test.servers if each.by == UNTESTED]
    but_en = f"; its container groups ({', '.join(left_out)}) were not tried" if left_out else ""
    but_ja = (
        f"コンテナーグループ({'、'.join(left_out)})の復元は確認していません。" if left_out else ""
    )
    return Event(
        "restore-test.passed",
        f"system:{point.system}",
        test.ended_at,
        Severity.INFO,
        f"{point.system_name} as of {taken:%Y-%m-%d %H:%M} JST was restored in isolation and was well after {test.seconds:.0f} s ({point.id}){but_en}.",
        f"{point.system_name}({taken:%Y-%m-%d %H:%M} 時点)を隔離環境に復元し、{test.seconds:.0f} 秒で正常に動作しました({point.id})。{but_ja}",
        tenant=point.tenant.text,
        fields={
            "point": point.id,
            "seconds": round(test.seconds, 1),
            "servers": {each.server: each.seconds for each in test.servers if each.by != UNTESTED},
            "untested": left_out,
        },
    )


def test_failed(point: RecoveryPointRecord, test: RestoreTest) -> Event:
    en = "" if test.trouble is None else test.trouble.en
    ja = "" if test.trouble is None else test.trouble.ja
    return Event(
        "restore-test.failed",
        f"system:{point.system}",
        test.ended_at,
        Severity.CRITICAL,
        f"The restore of {point.system_name} could not be proven ({point.id}): {en} It is tried again tomorrow; look at what it says.",
        f"{point.system_name} の復元を確かめられませんでした({point.id}): {ja}明日もう一度試します。内容を確認してください。",
        tenant=point.tenant.text,
        fields={"point": point.id},
    )


def damage_found(finding: ScrubFinding, at: datetime) -> Event:
    return _of(
        finding,
        "backup.damage-found",
        at,
        Severity.WARNING,
        f"Repository '{finding.repository}' holds a damaged object of member {finding.tenant} that {len(finding.points)} recovery points need: it is taken from another repository where one has it.",
        f"リポジトリ「{finding.repository}」で、参加団体 {finding.tenant} の復元ポイント {len(finding.points)} 件に必要なデータの損傷が見つかりました。ほかのリポジトリにあれば修復します。",
    )


def damage_healed(finding: ScrubFinding, source: RepositoryId, at: datetime) -> Event:
    return _of(
        finding,
        "backup.damage-healed",
        at,
        Severity.INFO,
        f"What was damaged in repository '{finding.repository}' of member {finding.tenant} is whole again, from '{source}'.",
        f"リポジトリ「{finding.repository}」の参加団体 {finding.tenant} のデータを、「{source}」から修復しました。",
    )


def damage_lost(finding: ScrubFinding, at: datetime) -> Event:
    return _of(
        finding,
        "backup.damage-lost",
        at,
        Severity.CRITICAL,
        f"What is damaged in repository '{finding.repository}' of member {finding.tenant} is whole in no other one: {len(finding.points)} recovery points can't be restored in full until one comes back.",
        f"リポジトリ「{finding.repository}」で損傷した参加団体 {finding.tenant} のデータは、ほかのどこにも残っていません。復元ポイント {len(finding.points)} 件は完全には復元できません。",
    )


def stray_found(finding: ScrubFinding, at: datetime) -> Event:
    return _of(
        finding,
        "backup.stray-found",
        at,
        Severity.WARNING,
        f"Repository '{finding.repository}' holds {finding.key}, which is no part of it ({finding.what}): nothing needs it and it stops nothing, but somebody put it there. Find out who, and delete it.",
        f"リポジトリ「{finding.repository}」に、リポジトリの一部ではない {finding.key} があります。必要とするものはなく、何も妨げませんが、誰かが置いたものです。置いた人を確認し、削除してください。",
    )


def _of(finding: ScrubFinding, kind: str, at: datetime, severity: Severity, *said: str) -> Event:
    en, ja = said
    return Event(
        kind,
        f"repository:{finding.repository}",
        at,
        severity,
        en,
        ja,
        tenant=finding.tenant.text,
        fields={"finding": finding.id, "points": list(finding.points)},
    )

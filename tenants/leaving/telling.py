"""What people are told of a leaving, and what the audit trail keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from control_plane.model.access import AuditEntry
from control_plane.model.membership import Membership
from control_plane.model.operation import Event, Severity
from tenants.leaving.export_directory import Written
from tenants.leaving.keys import Fate

PRINCIPAL = "leaving"
"""The part of the control plane that leads members out, as the audit trail calls it."""


def failed(membership: Membership, path: str, why: str, at: datetime) -> Event:
    named = path or "its data"
    return _event(
        membership,
        "member.export-failed",
        at,
        (
            f"{named} of {_en(membership)} could not be exported, and it will be tried again: {why}",
            f"{_ja(membership)}の{path or 'データ'}を書き出せませんでした。再試行します。理由: {why}",
        ),
        severity=Severity.WARNING,
        member=(
            f"{named} could not be exported just now, and it will be tried again.",
            f"{path or 'データ'}を書き出せませんでした。自動的に再試行します。",
        ),
    )


def exported(membership: Membership, manifest: Written, at: datetime) -> Event:
    return _event(
        membership,
        "member.exported",
        at,
        (
            f"The export of {_en(membership)} is whole. Nothing is removed until the member confirms that it has it: `yui member confirm-export {membership.tenant.code}`.",
            f"{_ja(membership)}の書き出しが完了しました。団体が受領を確認する(`yui member confirm-export {membership.tenant.code}`)まで、何も削除しません。",
        ),
        fields={"manifest_sha256": manifest.sha256},
    )


def exported_entry(membership: Membership, manifest: Written, at: datetime) -> AuditEntry:
    return _entry(membership, "member.export", at, {"manifest_sha256": manifest.sha256})


def keys_entry(membership: Membership, fates: Sequence[Fate], at: datetime) -> AuditEntry:
    return _entry(membership, "member.keys-destroy", at, {"keys": [dict(f.fields) for f in fates]})


def left_entry(
    membership: Membership, access: Fate, at: datetime, *, export_kept: bool
) -> AuditEntry:
    return _entry(
        membership, "member.left", at, {"access": dict(access.fields), "export_kept": export_kept}
    )


def left(
    membership: Membership, fates: Sequence[Fate], at: datetime, *, export_kept: bool
) -> Event:
    keys_en = " ".join(fate.en for fate in fates)
    keys_ja = "".join(fate.ja for fate in fates)
    kept_en = "Its export stays where it lies." if export_kept else "Its export was erased too."
    kept_ja = "書き出しは保管したままです。" if export_kept else "書き出しも消去しました。"
    return _event(
        membership,
        "member.left",
        at,
        (
            f"{_en(membership)} has left: its disks are removed, its users and tokens are gone, and its room is everybody's. {kept_en} {keys_en}".rstrip(),
            f"{_ja(membership)}が脱退しました。ディスクを削除し、利用者とトークンを削除し、容量を共同プールに戻しました。{kept_ja}{keys_ja}",
        ),
    )


def _event(
    membership: Membership,
    kind: str,
    at: datetime,
    said: tuple[str, str],
    *,
    severity: Severity = Severity.INFO,
    fields: dict[str, object] | None = None,
    member: tuple[str, str] | None = None,
) -> Event:
    code = membership.tenant.code
    return Event(
        kind,
        f"member:{code}",
        at,
        severity,
        *said,
        tenant=code.text,
        fields=fields,
        member_en=None if member is None else member[0],
        member_ja=None if member is None else member[1],
    )


def _entry(
    membership: Membership, action: str, at: datetime, fields: dict[str, object]
) -> AuditEntry:
    code = membership.tenant.code
    return AuditEntry(
        at=at,
        principal=PRINCIPAL,
        role=None,
        tenant=code.text,
        action=action,
        subject=f"member:{code}",
        outcome="done",
        fields=fields,
    )


def _en(membership: Membership) -> str:
    return f"{membership.tenant.name} ({membership.tenant.code})"


def _ja(membership: Membership) -> str:
    return f"{membership.tenant.name}({membership.tenant.code})"

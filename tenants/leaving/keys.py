"""What a leaving member's keys are, who destroys which, and what is said of it afterwards.

Whoever keeps keys for members is a keeper and stands in `KEEPERS`: keys of backups join there. What a
keeper answers goes into the audit trail as it is, so it says no more than what was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction
from control_plane.store.departures import AccessEnded


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one kind of key: `count` were destroyed; with 0, `en` and `ja` say why none."""

    kind: str
    count: int
    en: str
    ja: str

    @property
    def fields(self) -> Mapping[str, object]:
        return {"kind": self.kind, "destroyed": self.count, "en": self.en, "ja": self.ja}


class KeyKeeper(Protocol):
    def destroy(self, tx: Transaction, member: MunicipalityCode, at: datetime) -> Fate:
        """Destroy the member's keys of this kind, within the transaction that ends its membership or
        before it; again, where that was not kept."""
        ...


@dataclass(frozen=True, slots=True)
class DiskKeys:
    """There are none: disks are not encrypted by Yui, so what removes them is their removal."""

    def destroy(self, tx: Transaction, member: MunicipalityCode, at: datetime) -> Fate:  # noqa: ARG002
        return Fate(
            "disk-keys",
            0,
            "There were no disk keys to destroy: its disks were not encrypted by Yui, and were removed without being overwritten.",
            "ディスクの暗号鍵はありません。ディスクは Yui では暗号化されておらず、削除のみで上書き消去はしていません。",
        )


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The consortium's own, which go on proving that nothing in the trail was edited."""

    def destroy(self, tx: Transaction, member: MunicipalityCode, at: datetime) -> Fate:  # noqa: ARG002
        return Fate(
            "audit-keys",
            0,
            "The keys that sign the audit trail are the consortium's and were kept: they go on proving the member's entries.",
            "監査記録の署名鍵は共同体のものであるため保持し、今後も団体の記録の真正性を証明します。",
        )


KEEPERS: Sequence[KeyKeeper] = (DiskKeys(), AuditKeys())


def destroyed(ended: AccessEnded) -> Fate:
    """What was destroyed of its tokens, which end with every membership, asked for or not."""
    return Fate(
        "tokens",
        ended.tokens,
        f"The hashes of {ended.tokens} tokens were deleted, with {ended.users} users and {ended.service_accounts} service accounts.",
        f"トークン {ended.tokens} 件のハッシュ、利用者 {ended.users} 人、サービスアカウント {ended.service_accounts} 件を削除しました。",
    )


def destroy_keys(
    tx: Transaction, member: MunicipalityCode, at: datetime, ended: AccessEnded
) -> tuple[Fate, ...]:
    return (destroyed(ended), *(keeper.destroy(tx, member, at) for keeper in KEEPERS))

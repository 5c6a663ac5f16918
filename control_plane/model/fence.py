"""Fence evidence: what proves that a host can no longer write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId

_LONGEST_NAME = 100
_LONGEST_STATEMENT = 1000


class FenceKind(StrEnum):
    REDFISH_POWER_OFF = "redfish-power-off"
    """The BMC was told to cut power and then read back as off."""
    LEASE_EXPIRED = "storage-lease-expired"
    """The host's storage lease ran out, so its watchdog has reset it."""
    OPERATOR_WORD = "operator-word"
    """A named operator says that the machine is off."""


@dataclass(frozen=True, slots=True)
class FenceEvidence:
    """`at` is an aware UTC time, `by` names the BMC, the lease or the person, and `detail` tells in
    one English sentence what was seen."""

    host: HostId
    kind: FenceKind
    at: datetime
    by: str
    detail: str


class FenceMethod(StrEnum):
    POWER_OFF = "power-off"
    """Have the BMC cut the power now, whatever the host's health."""
    WORD = "word"
    """The operator has seen that the machine is off."""


@dataclass(frozen=True, slots=True)
class FenceWord:
    """What a named operator asked for or stated about one host, waiting for the reconciler.

    It is the weakest fence and sometimes the only one, so it is taken only with a name, a statement
    and an aware time, and all are kept with the evidence. Raises YuiError `fence-word-invalid`."""

    host: HostId
    by: str
    statement: str
    method: FenceMethod
    at: datetime

    def __post_init__(self) -> None:
        if not 1 <= len(self.by.strip()) <= _LONGEST_NAME:
            raise _invalid(
                f"A word that {self.host} is off needs the operator's name, of 1 to {_LONGEST_NAME} characters: say who gives it.",
                f"{self.host} が停止しているという宣言には、担当者の名前(1〜{_LONGEST_NAME} 文字)が必要です。誰の宣言かを記してください。",
            )
        if not 1 <= len(self.statement.strip()) <= _LONGEST_STATEMENT:
            raise _invalid(
                f"A word that {self.host} is off needs a statement of 1 to {_LONGEST_STATEMENT} characters: say what you saw or did.",
                f"{self.host} が停止しているという宣言には、確認した内容(1〜{_LONGEST_STATEMENT} 文字)が必要です。何を見たか、何をしたかを記してください。",
            )
        if self.at.tzinfo is None:
            raise _invalid(
                f"A word that {self.host} is off needs a time with its time zone.",
                f"{self.host} が停止しているという宣言には、タイムゾーン付きの時刻が必要です。",
            )

    def evidence(self) -> FenceEvidence:
        """The word as evidence. Raises ValueError for a request to cut the power, which proves
        nothing yet."""
        if self.method is not FenceMethod.WORD:
            raise ValueError(f"a request to power off {self.host} is no evidence")
        return FenceEvidence(
            self.host, FenceKind.OPERATOR_WORD, self.at, self.by.strip(), self.statement.strip()
        )


def _invalid(en: str, ja: str) -> YuiError:
    return YuiError("fence-word-invalid", en=en, ja=ja)

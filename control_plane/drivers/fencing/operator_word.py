"""A named person's word that a machine is off, for when no machine can give proof.

It is the weakest fence and sometimes the only one, so it is taken only with a name and a statement,
and both are kept with the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.errors import YuiError
from control_plane.model.fence import FenceEvidence, FenceKind, FenceMethod, FenceWord
from control_plane.model.ids import HostId

_LONGEST_NAME = 100
_LONGEST_STATEMENT = 1000


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """`by` is the person's name, `statement` what they saw or did, `at` an aware time.

    Raises YuiError `fence-word-invalid` for a word without a name or a statement."""

    host: HostId
    by: str
    statement: str
    at: datetime

    def __post_init__(self) -> None:
        if not _is_text(self.by, _LONGEST_NAME):
            raise _invalid(
                f"A word that {self.host} is off needs the operator's name, of 1 to {_LONGEST_NAME} characters: say who gives it.",
                f"{self.host} が停止しているという宣言には、担当者の名前(1〜{_LONGEST_NAME} 文字)が必要です。誰の宣言かを記してください。",
            )
        if not _is_text(self.statement, _LONGEST_STATEMENT):
            raise _invalid(
                f"A word that {self.host} is off needs a statement of 1 to {_LONGEST_STATEMENT} characters: say what you saw or did.",
                f"{self.host} が停止しているという宣言には、確認した内容(1〜{_LONGEST_STATEMENT} 文字)が必要です。何を見たか、何をしたかを記してください。",
            )
        if self.at.tzinfo is None:
            raise _invalid(
                f"A word that {self.host} is off needs a time with its time zone.",
                f"{self.host} が停止しているという宣言には、タイムゾーン付きの時刻が必要です。",
            )

    @staticmethod
    def of(word: FenceWord) -> OperatorWord:
        """The word that waits in the store. Raises YuiError for one that asks for a power-off."""
        if word.method is not FenceMethod.WORD:
            raise _invalid(
                f"The request to power off {word.host} is no statement that it is off.",
                f"{word.host} の電源切断の依頼は、停止しているという宣言ではありません。",
            )
        return OperatorWord(word.host, word.by, word.statement, word.at)

    def evidence(self) -> FenceEvidence:
        return FenceEvidence(
            self.host, FenceKind.OPERATOR_WORD, self.at, self.by.strip(), self.statement.strip()
        )


def _is_text(text: str, longest: int) -> bool:
    return 1 <= len(text.strip()) <= longest


def _invalid(en: str, ja: str) -> YuiError:
    return YuiError("fence-word-invalid", en=en, ja=ja)

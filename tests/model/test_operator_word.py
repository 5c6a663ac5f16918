"""A named person's word that a machine is off."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.fence import FenceKind, FenceMethod, FenceWord
from control_plane.model.ids import HostId

KYOTO_1 = HostId("kyoto-1")
AT = datetime(2026, 4, 1, tzinfo=UTC)


def word(by="Tanaka", statement="It is off", at=AT) -> FenceWord:
    return FenceWord(KYOTO_1, by, statement, FenceMethod.WORD, at)


def test_a_named_persons_statement_is_evidence_with_both():
    evidence = word(" 田中 花子 ", "電源ケーブルを抜いた\n").evidence()
    assert evidence.host == KYOTO_1
    assert evidence.kind is FenceKind.OPERATOR_WORD
    assert (evidence.by, evidence.detail) == ("田中 花子", "電源ケーブルを抜いた")
    assert evidence.at == AT


@pytest.mark.parametrize(
    ("by", "statement"),
    [
        ("", "I pulled the plug"),
        ("  \t", "I pulled the plug"),
        ("x" * 101, "I pulled the plug"),
        ("Tanaka", ""),
        ("Tanaka", " \n "),
        ("Tanaka", "x" * 1001),
    ],
    ids=["no-name", "blank-name", "endless-name", "nothing-said", "blank", "endless-statement"],
)
def test_a_word_without_a_name_or_a_statement_is_no_word(by, statement):
    with pytest.raises(YuiError) as refusal:
        word(by, statement)
    assert refusal.value.type == "fence-word-invalid"
    assert "kyoto-1" in refusal.value.en
    assert "kyoto-1" in refusal.value.ja


def test_a_word_without_a_time_zone_is_no_word():
    with pytest.raises(YuiError):
        word(at=datetime(2026, 4, 1))  # noqa: DTZ001

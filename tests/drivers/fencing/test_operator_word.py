from __future__ import annotations

from datetime import datetime

import pytest

from control_plane.drivers.fencing import OperatorWord
from control_plane.model.errors import YuiError
from control_plane.model.fence import FenceKind, FenceMethod, FenceWord
from control_plane.model.ids import HostId
from tests.drivers.fencing.samples import BEGINNING

KYOTO_1 = HostId("kyoto-1")


def test_a_named_persons_statement_is_evidence_with_both():
    evidence = OperatorWord(KYOTO_1, "田中 花子", "電源ケーブルを抜いた", BEGINNING).evidence()
    assert evidence.host == KYOTO_1
    assert evidence.kind is FenceKind.OPERATOR_WORD
    assert (evidence.by, evidence.detail) == ("田中 花子", "電源ケーブルを抜いた")
    assert evidence.at == BEGINNING


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
        OperatorWord(KYOTO_1, by, statement, BEGINNING)
    assert refusal.value.type == "fence-word-invalid"
    assert "kyoto-1" in refusal.value.en
    assert "kyoto-1" in refusal.value.ja


def test_a_word_without_a_time_zone_is_no_word():
    with pytest.raises(YuiError):
        OperatorWord(KYOTO_1, "Tanaka", "It is off", datetime(2026, 4, 1))  # noqa: DTZ001


def test_the_word_that_waits_in_the_store_becomes_evidence():
    word = FenceWord(KYOTO_1, "Tanaka", "It is off", FenceMethod.WORD, BEGINNING)
    assert OperatorWord.of(word).evidence().by == "Tanaka"


def test_a_request_to_cut_the_power_is_not_taken_for_a_statement():
    word = FenceWord(KYOTO_1, "Tanaka", "Please", FenceMethod.POWER_OFF, BEGINNING)
    with pytest.raises(YuiError):
        OperatorWord.of(word)

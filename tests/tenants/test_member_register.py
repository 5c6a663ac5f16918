"""The register of municipalities: what joining takes from it, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode, PopulationBand
from tenants.register import MemberRegister, load_register

HEADER = "code,name,kana,prefecture,population\n"
MIKASA = MunicipalityCode("012220")
GOOD = HEADER + "012220,三笠市,みかさし,北海道,8040\n262048,宇治市,うじし,京都府,179630\n"


def register_of(tmp_path: Path, text: str) -> MemberRegister:
    path = tmp_path / "members.csv"
    path.write_text(text, encoding="utf-8")
    return load_register(path)


def refusal(tmp_path: Path, text: str) -> YuiError:
    with pytest.raises(YuiError) as caught:
        register_of(tmp_path, text)
    assert caught.value.type == "member-register-invalid"
    return caught.value


def test_a_code_alone_tells_name_reading_prefecture_and_population(tmp_path: Path) -> None:
    mikasa = register_of(tmp_path, GOOD).tenant(MIKASA)
    assert (mikasa.name, mikasa.kana, mikasa.prefecture) == ("三笠市", "みかさし", "北海道")
    assert mikasa.population == 8040
    assert mikasa.band is PopulationBand.UNDER_50K


def test_what_is_given_goes_before_the_register(tmp_path: Path) -> None:
    grown = register_of(tmp_path, GOOD).tenant(MIKASA, population=123_456)
    assert (grown.name, grown.population) == ("三笠市", 123_456)


def test_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert register_of(tmp_path, "\ufeff" + GOOD).tenant(MIKASA).name == "三笠市"


def test_a_municipality_that_the_register_lacks_needs_everything_given() -> None:
    with pytest.raises(YuiError) as caught:
        MemberRegister().tenant(MIKASA, name="三笠市")
    assert caught.value.type == "municipality-unknown"
    assert "kana, prefecture, population" in caught.value.en
    given = MemberRegister().tenant(
        MIKASA, name="三笠市", kana="みかさし", prefecture="北海道", population=8040
    )
    assert given.name == "三笠市"


def test_a_prefecture_that_the_code_contradicts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(YuiError) as caught:
        register_of(tmp_path, GOOD).tenant(MIKASA, prefecture="京都府")
    assert caught.value.type == "prefecture-wrong"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("code,name\n", 1, "the header must be code,name,kana,prefecture,population"),
        ("", 1, "the header must be"),
        (GOOD + "012221,三笠市,みかさし,北海道,8040\n", 4, "wrong check digit"),
        (GOOD + "01222,三笠市,みかさし,北海道,8040\n", 4, "is not a municipality code"),
        (GOOD + "012220,三笠市,みかさし,北海道,8040\n", 4, "012220 is listed twice"),
        (GOOD + "012289,深川市,ふかがわし,北海道\n", 4, "there are 4 columns"),
        (GOOD + "012289,深川市,ふかがわし,北海道,2万\n", 4, "population must be a whole number"),
        (GOOD + "012289,深川市,ふかがわし,北海道,99999999\n", 4, "population must be"),
        (GOOD + "012289,,ふかがわし,北海道,20000\n", 4, "name must have 1 to 100"),
        (GOOD + "012289,深川\x1b市,ふかがわし,北海道,20000\n", 4, "name must have 1 to 100"),
        (GOOD + "012289,深川市,ふかがわし,京都府,20000\n", 4, "lies in 北海道 by its code"),
        (GOOD + '012289,"深川市,ふかがわし,北海道,20000\n', 4, "this is not CSV"),
    ],
)
def test_a_mistake_in_the_register_is_told_with_file_and_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    error = refusal(tmp_path, text)
    assert f"members.csv, line {line}: " in error.en
    assert said in error.en
    assert f"{line} 行目" in error.ja


def test_a_register_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(YuiError) as caught:
        load_register(tmp_path / "nobody.csv")
    assert "nobody.csv can't be read (No such file or directory)" in caught.value.en


def test_a_register_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_bytes(GOOD.encode("shift_jis"))
    with pytest.raises(YuiError) as caught:
        load_register(path)
    assert "line 2: this is not UTF-8" in caught.value.en

"""The national code that names a member."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode, PopulationBand, check_digit

ALL = Path(__file__).parents[3] / "shared" / "data" / "municipalities.csv"
TRIAL = Path(__file__).parents[2] / "examples" / "trial" / "members.csv"


def codes(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [row["code"] for row in csv.DictReader(file)]


def test_every_municipality_of_japan_has_a_right_check_digit():
    if not ALL.exists():
        pytest.skip("the list of all municipalities does not stand beside this checkout")
    assert len([MunicipalityCode(code) for code in codes(ALL)]) == 1741


def test_every_member_of_the_trial_has_a_right_check_digit():
    assert len({MunicipalityCode(code) for code in codes(TRIAL)}) == 78


@given(st.integers(1, 47), st.integers(0, 999), st.integers(0, 9))
def test_only_one_of_the_ten_last_digits_is_taken(prefecture, number, last):
    first_five = f"{prefecture:02}{number:03}"
    if last == check_digit(first_five):
        assert str(MunicipalityCode(f"{first_five}{last}")) == f"{first_five}{last}"
    else:
        with pytest.raises(YuiError, match=str(check_digit(first_five))) as refused:
            MunicipalityCode(f"{first_five}{last}")
        assert refused.value.type == "municipality-code-check-digit"


@pytest.mark.parametrize("text", ["", "01222", "0122200", "01222a", "01222０", "-12220", " 12220"])
def test_what_is_not_six_plain_digits_is_refused_in_both_languages(text):
    with pytest.raises(YuiError) as refused:
        MunicipalityCode(text)
    assert refused.value.type == "municipality-code-malformed"
    assert "six digits" in refused.value.en
    assert "6桁" in refused.value.ja


@pytest.mark.parametrize("text", ["000000", "481234", "990000"])
def test_a_prefecture_that_does_not_exist_is_refused(text):
    with pytest.raises(YuiError, match="no prefecture"):
        MunicipalityCode(text)


@pytest.mark.parametrize(
    ("population", "band"),
    [
        (0, PopulationBand.UNDER_50K),
        (49_999, PopulationBand.UNDER_50K),
        (50_000, PopulationBand.FROM_50K),
        (99_999, PopulationBand.FROM_50K),
        (100_000, PopulationBand.FROM_100K),
        (299_999, PopulationBand.FROM_100K),
        (300_000, PopulationBand.FROM_300K),
        (1_975_065, PopulationBand.FROM_300K),
    ],
)
def test_a_band_begins_where_the_one_below_ends(population, band):
    assert PopulationBand.of(population) is band

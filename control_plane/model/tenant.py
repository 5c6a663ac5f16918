"""A member municipality and the national code that names it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from control_plane.model.errors import YuiError

_WEIGHTS = (6, 5, 4, 3, 2)


@dataclass(frozen=True, slots=True, order=True)
class MunicipalityCode:
    """全国地方公共団体コード: two digits of prefecture, three of municipality, one check digit.

    The check digit is 11 minus (the digits weighted 6, 5, 4, 3, 2, summed, modulo 11), last digit
    only; a sum below 11 is taken from 11 directly, which is the same. Source: the Ministry of
    Internal Affairs and Communications' specification of the code's check digit (検査数字).
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) != 6 or not (self.text.isascii() and self.text.isdigit()):
            raise YuiError(
                "municipality-code-malformed",
                en=f"'{self.text[:32]}' is not a municipality code: give six digits, such as 012220.",
                ja=f"「{self.text[:32]}」は団体コードではありません。012220 のような6桁の数字を指定してください。",
            )
        if not 1 <= int(self.text[:2]) <= 47:
            raise YuiError(
                "municipality-code-malformed",
                en=f"Municipality code {self.text} begins with {self.text[:2]}, which is no prefecture: use 01 to 47.",
                ja=f"団体コード {self.text} の先頭 {self.text[:2]} に当たる都道府県はありません。01〜47 を指定してください。",
            )
        expected = check_digit(self.text[:5])
        if int(self.text[5]) != expected:
            raise YuiError(
                "municipality-code-check-digit",
                en=f"Municipality code {self.text} has a wrong check digit: {self.text[:5]} takes {expected}, so look for a mistyped digit.",
                ja=f"団体コード {self.text} の検査数字が違います({self.text[:5]} の検査数字は {expected})。入力を確認してください。",
            )

    @property
    def prefecture_number(self) -> int:
        return int(self.text[:2])

    def __str__(self) -> str:
        return self.text


def check_digit(first_five: str) -> int:
    """The check digit that belongs behind five digits of a municipality code."""
    weighted = sum(int(digit) * weight for digit, weight in zip(first_five, _WEIGHTS, strict=True))
    return (11 - weighted % 11) % 10


class PopulationBand(StrEnum):
    """Size classes by which blueprints choose flavors."""

    UNDER_50K = "under-50k"
    FROM_50K = "50k-100k"
    FROM_100K = "100k-300k"
    FROM_300K = "300k-and-more"

    @staticmethod
    def of(population: int) -> PopulationBand:
        if population < 50_000:
            return PopulationBand.UNDER_50K
        if population < 100_000:
            return PopulationBand.FROM_50K
        if population < 300_000:
            return PopulationBand.FROM_100K
        return PopulationBand.FROM_300K


@dataclass(frozen=True, slots=True)
class Tenant:
    """A member municipality (参加団体). `population` counts residents."""

    code: MunicipalityCode
    name: str
    kana: str
    prefecture: str
    population: int

    @property
    def band(self) -> PopulationBand:
        return PopulationBand.of(self.population)

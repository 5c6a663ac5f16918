"""The register of municipalities: who a municipality code is, so that joining needs no more.

A CSV file in UTF-8 with the header `code,name,kana,prefecture,population`; the consortium keeps it
from the national list of codes (全国地方公共団体コード) and the census.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.pool_file.prefectures import PREFECTURES

COLUMNS = ("code", "name", "kana", "prefecture", "population")
MAX_BYTES = 4 * 1024 * 1024
MOST_PEOPLE = 20_000_000
_MAX_TEXT = 100


@dataclass(frozen=True, slots=True)
class MemberRegister:
    """Municipalities by code. An empty register knows nobody, and everything must be given."""

    members: Mapping[MunicipalityCode, Tenant] = field(default_factory=dict)

    def tenant(
        self,
        code: MunicipalityCode,
        *,
        name: str | None = None,
        kana: str | None = None,
        prefecture: str | None = None,
        population: int | None = None,
    ) -> Tenant:
        """The municipality as the register has it, with what is given going first.

        Raises `municipality-unknown` when the register lacks it and something is not given, and
        `prefecture-wrong` when the prefecture is not the one that the code's first digits name.
        """
        known = self.members.get(code)
        if known is None:
            given = {"name": name, "kana": kana, "prefecture": prefecture, "population": population}
            missing = [key for key, value in given.items() if value is None]
            if name is None or kana is None or prefecture is None or population is None:
                raise YuiError(
                    "municipality-unknown",
                    en=f"Municipality {code} is not in the member register: check the code, or give its {', '.join(missing)}.",
                    ja=f"団体コード {code} は団体台帳にありません。コードを確認するか、{'・'.join(missing)} を指定してください。",
                    fields={"code": str(code), "missing": missing},
                )
            found = Tenant(code, name, kana, prefecture, population)
        else:
            found = Tenant(
                code,
                known.name if name is None else name,
                known.kana if kana is None else kana,
                known.prefecture if prefecture is None else prefecture,
                known.population if population is None else population,
            )
        check_prefecture(found)
        return found


def check_prefecture(tenant: Tenant) -> None:
    """Raises `prefecture-wrong`. Source of the order: JIS X 0401, codes 01 to 47."""
    expected = PREFECTURES[tenant.code.prefecture_number - 1]
    if tenant.prefecture != expected:
        raise YuiError(
            "prefecture-wrong",
            en=f"Municipality {tenant.code} lies in {expected} by its code, not in {tenant.prefecture}: correct one of them.",
            ja=f"団体コード {tenant.code} は{expected}のものですが、都道府県が「{tenant.prefecture}」になっています。どちらかを直してください。",
            fields={"code": str(tenant.code), "expected": expected, "given": tenant.prefecture},
        )


def load_register(path: Path) -> MemberRegister:
    """Read the CSV file. Raises `member-register-invalid` naming the file, the line, and what was
    expected of the first mistake."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise YuiError(
            "member-register-invalid",
            en=f"The member register {path.name} can't be read ({reason}): check its path and permissions.",
            ja=f"団体台帳 {path.name} を読めません({reason})。パスと権限を確認してください。",
            fields={"file": path.name},
        ) from None
    if len(raw) > MAX_BYTES:
        raise _mistake(
            path,
            1,
            f"the file is larger than {MAX_BYTES} bytes",
            f"ファイルが {MAX_BYTES} バイトを超えています",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _mistake(
            path,
            line,
            "this is not UTF-8: save the file as UTF-8",
            "UTF-8 ではありません。UTF-8 で保存してください",
        ) from None
    return MemberRegister(_read(path, text))


def _read(path: Path, text: str) -> dict[MunicipalityCode, Tenant]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    members: dict[MunicipalityCode, Tenant] = {}
    try:
        header = next(rows, [])
        if tuple(header) != COLUMNS:
            wanted = ",".join(COLUMNS)
            raise _mistake(
                path,
                1,
                f"the header must be {wanted}",
                f"見出し行は {wanted} にしてください",
            )
        for row in rows:
            if not row:
                continue
            tenant = _tenant(path, rows.line_num, row)
            if tenant.code in members:
                raise _mistake(
                    path,
                    rows.line_num,
                    f"{tenant.code} is listed twice",
                    f"{tenant.code} が重複しています",
                )
            members[tenant.code] = tenant
    except csv.Error:
        raise _mistake(path, rows.line_num, "this is not CSV", "CSV として読めません") from None
    return members


def _tenant(path: Path, line: int, row: list[str]) -> Tenant:
    if len(row) != len(COLUMNS):
        raise _mistake(
            path,
            line,
            f"there are {len(row)} columns where {len(COLUMNS)} were expected",
            f"列が {len(row)} 個あります({len(COLUMNS)} 個にしてください)",
        )
    values = dict(zip(COLUMNS, (value.strip() for value in row), strict=True))
    for column in ("name", "kana", "prefecture"):
        if not 0 < len(values[column]) <= _MAX_TEXT or not values[column].isprintable():
            raise _mistake(
                path,
                line,
                f"{column} must have 1 to {_MAX_TEXT} printable characters",
                f"{column} は {_MAX_TEXT} 文字以内の表示できる文字で書いてください",
            )
    population = values["population"]
    if not (population.isascii() and population.isdigit() and len(population) <= 8) or (
        int(population) > MOST_PEOPLE
    ):
        raise _mistake(
            path,
            line,
            f"population must be a whole number of at most {MOST_PEOPLE}",
            f"population は {MOST_PEOPLE} 以下の整数で書いてください",
        )
    try:
        tenant = Tenant(
            MunicipalityCode(values["code"]),
            values["name"],
            values["kana"],
            values["prefecture"],
            int(population),
        )
        check_prefecture(tenant)
    except YuiError as error:
        raise _mistake(path, line, error.en.rstrip("."), error.ja.rstrip("。")) from None
    return tenant


def _mistake(path: Path, line: int, en: str, ja: str) -> YuiError:
    return YuiError(
        "member-register-invalid",
        en=f"{path.name}, line {line}: {en}.",
        ja=f"{path.name} の {line} 行目: {ja}。",
        fields={"file": path.name, "line": line},
    )

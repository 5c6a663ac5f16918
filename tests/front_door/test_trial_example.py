"""The example of the municipal cloud trial is true to the facts. That it is large enough for all who took
part is seen where the demonstration admits them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from control_plane.model.tenant import MunicipalityCode
from control_plane.pool_file import parse
from tenants.register import load_register

ROOT = Path(__file__).parents[2]
TRIAL = ROOT / "examples" / "trial"
FACTS = ROOT.parent / "shared" / "data" / "municipalities.csv"


def test_the_register_agrees_with_the_national_list_in_every_field() -> None:
    if not FACTS.exists():
        pytest.skip("the national list of municipalities does not stand beside this checkout")
    with FACTS.open(encoding="utf-8", newline="") as file:
        facts = {
            row["code"]: (row["name"], row["kana"], row["prefecture"], int(row["population_2020"]))
            for row in csv.DictReader(file)
            if row["in_2009_trial"] == "1"
        }
    register = load_register(TRIAL / "members.csv")
    assert {
        str(code): (tenant.name, tenant.kana, tenant.prefecture, tenant.population)
        for code, tenant in register.members.items()
    } == facts


def test_all_78_municipalities_of_six_prefectures_are_in_the_register() -> None:
    members = load_register(TRIAL / "members.csv").members
    assert len(members) == 78
    counted: dict[str, int] = {}
    for tenant in members.values():
        counted[tenant.prefecture] = counted.get(tenant.prefecture, 0) + 1
    assert counted == {
        "北海道": 29,
        "京都府": 25,
        "徳島県": 8,
        "佐賀県": 6,
        "大分県": 5,
        "宮崎県": 5,
    }
    assert members[MunicipalityCode("012220")].name == "三笠市"


def test_each_member_has_one_of_the_three_data_centres() -> None:
    pool = parse((TRIAL / "pool.yaml").read_text(encoding="utf-8"), "pool.yaml")
    served = [prefecture for region in pool.regions for prefecture in region.prefectures]
    members = load_register(TRIAL / "members.csv").members.values()
    assert sorted(served) == sorted({tenant.prefecture for tenant in members})
    saga = next(region for region in pool.regions if region.id == "saga")
    assert saga.prefectures == {"佐賀県", "徳島県", "大分県", "宮崎県"}
    assert {site.region for site in pool.sites} == {"hokkaido", "kyoto", "saga"}

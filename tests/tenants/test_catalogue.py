"""The catalogue of blueprints: what stands in it, and how a mistake in a file is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from control_plane.model.backup.policy import BackupPlace
from control_plane.model.blueprint import Blueprint
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId
from control_plane.model.pool import Zone
from control_plane.model.tenant import PopulationBand
from tenants.catalogue import STANDARD_BLUEPRINTS, Catalogue, load_catalogue

GOOD = """\
id: library
version: 1
name: {ja: 図書館, en: Library}
description: {ja: 本を貸します。, en: Lends books.}
tier: 3
zone: lgwan
service_hours:
  - {days: [mon, sun], from: "09:00", to: "24:00"}
backup:
  rpo_hours: 24
  copies:
    - {every: day, at: "22:00", generations: 14, places: [on-site, other-region]}
servers:
  - role: application
    image: tiny
    start_order: 0
    flavors: {under-50k: s, 50k-100k: s, 100k-300k: m, 300k-and-more: l}
"""


def catalogue_of(tmp_path: Path, text: str, name: str = "library.v1.yaml") -> Catalogue:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return load_catalogue(tmp_path)


def refusal(tmp_path: Path, text: str, name: str = "library.v1.yaml") -> YuiError:
    with pytest.raises(YuiError) as caught:
        catalogue_of(tmp_path, text, name)
    assert caught.value.type == "blueprint-invalid"
    return caught.value


def test_resident_records_start_the_database_first_and_recover_first() -> None:
    blueprint = load_catalogue(STANDARD_BLUEPRINTS).blueprint(BlueprintId("resident-records"))
    in_order = sorted(blueprint.servers, key=lambda server: server.start_order)
    assert [server.role for server in in_order] == ["database", "application"]
    assert in_order[0].start_order < in_order[1].start_order
    assert (blueprint.tier, blueprint.zone) == (0, Zone.MYNUMBER)


def test_facility_booking_is_one_application_server_of_tier_2_on_the_internet() -> None:
    blueprint = load_catalogue(STANDARD_BLUEPRINTS).blueprint(BlueprintId("facility-booking"))
    assert [server.role for server in blueprint.servers] == ["application"]
    assert (blueprint.tier, blueprint.zone) == (2, Zone.INTERNET)


def test_the_standard_catalogue_has_the_systems_that_a_municipality_runs() -> None:
    names = {blueprint.name_ja for blueprint in load_catalogue(STANDARD_BLUEPRINTS).newest()}
    asked = """住民記録 印鑑登録 個人住民税 法人住民税 固定資産税 軽自動車税 国民健康保険 国民年金 介護保険
        後期高齢者医療 児童手当 障害者福祉 生活保護 選挙人名簿管理 財務会計 人事給与 文書管理 庶務事務 電子申請
        施設予約 図書館 統合型GIS 校務支援 被災者支援 グループウェア 収納・滞納管理 健康管理 就学
        子ども・子育て支援 戸籍 戸籍の附票 児童扶養手当"""
    assert set(asked.split()) <= names
    assert len([name for name in names if name.startswith("職員認証")]) == len(Zone)


def test_each_of_the_20_tasks_of_the_national_standardization_has_one_system() -> None:
    schema = json.loads(
        (STANDARD_BLUEPRINTS.parent / "blueprint.schema.json").read_text(encoding="utf-8")
    )
    tasks = schema["properties"]["standard_task"]["enum"]
    served = [b.standard_task for b in load_catalogue(STANDARD_BLUEPRINTS).newest()]
    assert len(tasks) == 20
    assert sorted(task for task in served if task) == sorted(tasks)


def test_standardized_tasks_stand_with_the_number_using_affairs_and_nothing_there_reaches_out() -> (
    None
):
    catalogue = load_catalogue(STANDARD_BLUEPRINTS)
    for blueprint in catalogue.newest():
        if blueprint.standard_task is not None:
            assert blueprint.zone is Zone.MYNUMBER, blueprint.id
        for needed in blueprint.needs:
            assert catalogue.blueprint(needed).zone is blueprint.zone


def test_a_copy_of_every_standard_system_is_in_another_region_and_reaches_back_five_weeks() -> None:
    for blueprint in load_catalogue(STANDARD_BLUEPRINTS).newest():
        copies = blueprint.backup.copies
        places = {place for copy in copies for place in copy.places}
        assert BackupPlace.OTHER_REGION in places, blueprint.id
        kept = max(copy.every.most_hours * copy.generations for copy in copies)
        assert kept >= 5 * 7 * 24, blueprint.id


def test_systems_come_back_by_tier_and_after_what_they_need() -> None:
    order = [b.id for b in load_catalogue(STANDARD_BLUEPRINTS).newest()]
    tiers = [b.tier for b in load_catalogue(STANDARD_BLUEPRINTS).newest()]
    assert tiers == sorted(tiers)
    assert order.index(BlueprintId("family-register")) < order.index(
        BlueprintId("register-supplement")
    )


def test_every_standard_blueprint_has_a_flavor_for_every_band() -> None:
    for blueprint in load_catalogue(STANDARD_BLUEPRINTS).newest():
        for server in blueprint.servers:
            assert set(server.flavors) == set(PopulationBand)


def test_the_schema_of_blueprints_is_itself_valid() -> None:
    path = STANDARD_BLUEPRINTS.parent / "blueprint.schema.json"
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_the_longest_names_that_the_schema_allows_still_make_a_server_name() -> None:
    schema = json.loads(
        (STANDARD_BLUEPRINTS.parent / "blueprint.schema.json").read_text(encoding="utf-8")
    )
    blueprint = schema["$defs"]["blueprint_id"]["maxLength"]
    role = schema["$defs"]["word"]["maxLength"]
    assert len("m012220-") + blueprint + len("-") + role + len("-12345678") <= 63


def test_new_members_get_the_newest_version_and_the_old_one_stays(tmp_path: Path) -> None:
    catalogue_of(tmp_path, GOOD)
    found = catalogue_of(tmp_path, GOOD.replace("version: 1", "version: 2"), name="library.v2.yaml")
    assert found.blueprint(BlueprintId("library")).version == 2
    assert found.blueprint(BlueprintId("library"), 1).version == 1
    assert [blueprint.version for blueprint in found.newest()] == [2]


def test_a_folder_that_is_not_there_is_no_empty_catalogue(tmp_path: Path) -> None:
    with pytest.raises(YuiError) as refused:
        load_catalogue(STANDARD_BLUEPRINTS, tmp_path / "absent")
    assert refused.value.type == "blueprint-folder-missing"
    assert "absent" in refused.value.en


def test_a_consortium_adds_its_own_beside_the_standard_ones_and_the_next_version_of_one(
    tmp_path: Path,
) -> None:
    own = GOOD.replace("id: library", "id: bookmobile").replace(
        "tier: 3", "works_with: [library]\ntier: 3"
    )
    (tmp_path / "bookmobile.v1.yaml").write_text(own, encoding="utf-8")
    (tmp_path / "library.v2.yaml").write_text(
        GOOD.replace("version: 1", "version: 2"), encoding="utf-8"
    )
    found = load_catalogue(STANDARD_BLUEPRINTS, tmp_path)
    assert found.blueprint(BlueprintId("bookmobile")).works_with == ("library",)
    assert found.versions_of(BlueprintId("library")) == (1, 2)
    (tmp_path / "library.v1.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(YuiError) as refused:
        load_catalogue(STANDARD_BLUEPRINTS, tmp_path)
    assert "version 1 of library exists already" in refused.value.en


def test_an_unknown_blueprint_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(YuiError) as caught:
        catalogue_of(tmp_path, GOOD).blueprint(BlueprintId("libary"))
    assert caught.value.type == "blueprint-not-found"
    assert "libary" in caught.value.en
    assert "library" in caught.value.en
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("zone: lgwan", "zone: dmz", "zone: dmz", "zone: must be one of mynumber, lgwan, internet"),
        ("tier: 3", "tier: fast", "tier:", "tier: must be of type integer"),
        ("tier: 3", "tier: -1", "tier:", "tier: must be at least 0"),
        ("version: 1\n", "", "id:", "'version' is missing"),
        ("    image: tiny\n", "", "role:", "'image' is missing"),
        (" 300k-and-more: l", "", "flavors:", "servers[0].flavors: '300k-and-more' is missing"),
        ("image: tiny", "imgae: tiny", "role:", "'image' is missing"),
        ("role: application", "role: Application", "role:", "servers[0].role: must be a name"),
        ("role: application", "role: application-server-of-old", "role:", "at most 16 characters"),
        ("start_order: 0", "start_order: true", "start_order", "start_order: must be of type"),
        ("tier: 3", "tier: 3\ntier: 4", "tier: 4", "'tier' is given twice, first on line 5"),
        ("tier: 3", "tier: 2026-13-45", "id:", "this is not YAML"),
        ("tier: 3", "tier: [", "service_hours", "this is not YAML"),
        ("zone: lgwan", "zone: lgwan\nowner: me", "owner", "owner: this is not known here"),
        ("id: library", "id: libraries", "id:", "rename the file"),
        ("en: Lends books.", "", "description", "description: 'en' is missing"),
        ("tier: 3", "standard_task: 図書館\ntier: 3", "standard_task", "must be one of 児童手当"),
        # YAML reads a time without quotes as the number of its minutes.
        ('from: "09:00"', "from: 12:30", "from", "service_hours[0].from: must be a time"),
        ('to: "24:00"', 'to: "24:30"', "from", "service_hours[0].to: must be a time"),
        ('to: "24:00"', 'to: "08:59"', "from", "service_hours[0].to: it closes before it opens"),
        ("[mon, sun]", "[mon, mon]", "from", "days: must not name the same thing twice"),
        ("every: day", "every: decade", "every", "must be one of hour, day, week, month, year"),
        ("rpo_hours: 24", "rpo_hours: 4", "rpo_hours", "up to 24 hours pass between two copies"),
        (', at: "22:00"', "", "every", "'at' is missing: say when the copy begins"),
        ("every: day", "every: hour", "every", "copies[0].at: an hourly copy has no time"),
        ("other-region]", "attic]", "every", "places[1]: must be one of on-site, off-site"),
        (
            "tier: 3",
            "needs: [archive]\ntier: 3",
            "needs",
            "needs[0]: there is no blueprint archive",
        ),
        (
            "tier: 3",
            "works_with: [x]\ntier: 3",
            "works_with",
            "works_with[0]: there is no blueprint",
        ),
        ("tier: 3", "needs: [library]\ntier: 3", "needs", "library needs library in turn"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_field(
    tmp_path: Path, old: str, new: str, place: str, said: str
) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    line = next(n for n, words in enumerate(text.splitlines(), 1) if place in words)
    error = refusal(tmp_path, text)
    assert f"library.v1.yaml, line {line}: " in error.en
    assert said in error.en
    assert f"{line} 行目" in error.ja


def test_an_alias_is_refused_because_it_could_unfold_without_end(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a: &a [x]\nb: [*a, *a]\n")
    assert "line 2: aliases are not used here" in error.en


def test_two_servers_of_one_role_are_refused(tmp_path: Path) -> None:
    server = GOOD[GOOD.index("  - role") :]
    assert "servers[1].role: 'application' is given twice" in refusal(tmp_path, GOOD + server).en


def test_a_blueprint_that_runs_nothing_is_refused(tmp_path: Path) -> None:
    assert "give at least one of them" in refusal(tmp_path, GOOD[: GOOD.index("servers:")]).en


def second(order: int, *, stop: int | None = None) -> str:
    """One more server of GOOD's."""
    server = GOOD[GOOD.index("  - role") :].replace("role: application", f"role: extra-{order}")
    told = "" if stop is None else f"\n    stop_order: {stop}"
    return server.replace("start_order: 0", f"start_order: {order}{told}")


def test_servers_stop_in_the_reverse_order_of_starting_unless_told(tmp_path: Path) -> None:
    def found(text: str) -> Blueprint:
        return catalogue_of(tmp_path, text).blueprint(BlueprintId("library"))

    untold = found(GOOD + second(7) + second(3))
    assert untold.start_sequence == (("application",), ("extra-3",), ("extra-7",))
    assert untold.stop_sequence == (("extra-7",), ("extra-3",), ("application",))
    told = found(
        GOOD.replace("start_order: 0", "start_order: 0\n    stop_order: 1") + second(5, stop=1)
    )
    assert told.start_sequence == (("application",), ("extra-5",))
    assert told.stop_sequence == (("application", "extra-5"),)


def test_a_stop_order_is_given_for_all_servers_or_for_none(tmp_path: Path) -> None:
    said = refusal(tmp_path, GOOD + second(1, stop=0)).en
    assert "servers[0]: 'stop_order' is missing, which others have" in said


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"zone: lgwan": "zone: internet"},
            "archive is in zone internet and zones are never bridged",
        ),
        ({"tier: 3": "tier: 4"}, "archive comes back later, in tier 4"),
        ({"tier: 3": "needs: [library]\ntier: 3"}, "archive needs library in turn"),
    ],
)
def test_a_system_needs_only_what_can_be_there_before_it(
    tmp_path: Path, other: dict[str, str], said: str
) -> None:
    archive = GOOD.replace("id: library", "id: archive")
    for old, new in other.items():
        archive = archive.replace(old, new)
    (tmp_path / "archive.v1.yaml").write_text(archive, encoding="utf-8")
    wanting = GOOD.replace("tier: 3", "needs: [archive]\ntier: 3")
    assert said in refusal(tmp_path, wanting).en
    if "tier: 4" in archive or "internet" in archive:
        helped = wanting.replace("needs:", "works_with:")
        assert catalogue_of(tmp_path, helped).blueprint(BlueprintId("library")).works_with


def test_an_older_version_is_not_held_to_what_the_newest_of_others_say(tmp_path: Path) -> None:
    archive = GOOD.replace("id: library", "id: archive")
    (tmp_path / "archive.v1.yaml").write_text(archive, encoding="utf-8")
    (tmp_path / "archive.v2.yaml").write_text(
        archive.replace("version: 1", "version: 2").replace("zone: lgwan", "zone: internet"),
        encoding="utf-8",
    )
    (tmp_path / "library.v2.yaml").write_text(
        GOOD.replace("version: 1", "version: 2"), encoding="utf-8"
    )
    found = catalogue_of(tmp_path, GOOD.replace("tier: 3", "needs: [archive]\ntier: 3"))
    assert found.versions_of(BlueprintId("library")) == (1, 2)


def test_mistakes_of_several_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.v1.yaml").write_text("", encoding="utf-8")
    (tmp_path / "b.v1.yaml").write_bytes(b"id: \xff\n")
    error = refusal(tmp_path, GOOD.replace("tier: 3", "tier: 30"))
    assert "a.v1.yaml, line 1: the file is empty." in error.en
    assert "b.v1.yaml, line 1: this is not UTF-8." in error.en
    assert "library.v1.yaml, line 5: tier: must be at most 9." in error.en


def test_endless_nesting_is_a_mistake_and_not_a_crash(tmp_path: Path) -> None:
    assert "nested more than 20 deep" in refusal(tmp_path, "[" * 100_000).en

"""The catalogue of blueprints: what stands in it, and how a mistake in a file is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId
from control_plane.model.pool import Zone
from control_plane.model.tenant import PopulationBand
from tenants.catalogue import STANDARD_BLUEPRINTS, Catalogue, load_catalogue

GOOD = """\
id: library
version: 1
name: {ja: 図書館, en: Library}
tier: 3
zone: lgwan
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
    blueprint = schema["properties"]["id"]["maxLength"]
    role = schema["properties"]["servers"]["items"]["properties"]["role"]["maxLength"]
    assert len("m012220-") + blueprint + len("-") + role + len("-12345678") <= 63


def test_new_members_get_the_newest_version_and_the_old_one_stays(tmp_path: Path) -> None:
    catalogue_of(tmp_path, GOOD)
    found = catalogue_of(tmp_path, GOOD.replace("version: 1", "version: 2"), name="library.v2.yaml")
    assert found.blueprint(BlueprintId("library")).version == 2
    assert found.blueprint(BlueprintId("library"), 1).version == 1
    assert [blueprint.version for blueprint in found.newest()] == [2]


def test_an_unknown_blueprint_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(YuiError) as caught:
        catalogue_of(tmp_path, GOOD).blueprint(BlueprintId("libary"))
    assert caught.value.type == "blueprint-not-found"
    assert "libary" in caught.value.en
    assert "library" in caught.value.en
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("zone: lgwan", "zone: dmz", 5, "zone: must be one of mynumber, lgwan, internet"),
        ("tier: 3", "tier: fast", 4, "tier: must be of type integer"),
        ("tier: 3", "tier: -1", 4, "tier: must be at least 0"),
        ("version: 1\n", "", 1, "'version' is missing"),
        ("    image: tiny\n", "", 7, "'image' is missing"),
        (" 300k-and-more: l", "", 10, "servers[0].flavors: '300k-and-more' is missing"),
        ("image: tiny", "imgae: tiny", 7, "'image' is missing"),
        ("role: application", "role: Application", 7, "servers[0].role: must be a name"),
        ("role: application", "role: application-server-of-old", 7, "at most 16 characters"),
        ("start_order: 0", "start_order: true", 9, "servers[0].start_order: must be of type"),
        ("tier: 3", "tier: 3\ntier: 4", 5, "'tier' is given twice, first on line 4"),
        ("tier: 3", "tier: 2026-13-45", 1, "this is not YAML"),
        ("tier: 3", "tier: [", 6, "this is not YAML"),
        ("zone: lgwan", "zone: lgwan\nowner: me", 6, "owner: this is not known here"),
        ("id: library", "id: libraries", 1, "rename the file"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
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


def test_mistakes_of_several_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.v1.yaml").write_text("", encoding="utf-8")
    (tmp_path / "b.v1.yaml").write_bytes(b"id: \xff\n")
    error = refusal(tmp_path, GOOD.replace("tier: 3", "tier: 30"))
    assert "a.v1.yaml, line 1: the file is empty." in error.en
    assert "b.v1.yaml, line 1: this is not UTF-8." in error.en
    assert "library.v1.yaml, line 4: tier: must be at most 9." in error.en


def test_endless_nesting_is_a_mistake_and_not_a_crash(tmp_path: Path) -> None:
    assert "nested more than 20 deep" in refusal(tmp_path, "[" * 100_000).en

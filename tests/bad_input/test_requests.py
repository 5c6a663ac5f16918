"""What people ask for by mistake: one sentence, a problem document, and nothing half done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.bad_input.conftest import (
    Plane,
    one_sentence,
    refused,
    refused_over_http,
    refused_to_start,
    serving,
    unchanged,
)
from tests.cli.served import DECLARED, POOL

JOIN = ("member", "join")
DESCRIBED = ("--name", "office", "--version", "1", "--provenance", "made for a test", *DECLARED)
DECLARES = {
    "virtio": True,
    "cloud_init": "nocloud",
    "serial_console": "ttyS0",
    "no_host_pinning": True,
}
OFFER = {"name": "office", "version": "1", "provenance": "a test", "declares": DECLARES}


def test_a_code_that_the_register_does_not_know(plane: Plane) -> None:
    said = refused(
        plane, *JOIN, "131016", "-b", "facility-booking", code=1, type="municipality-unknown"
    )
    assert "131016" in said.en
    assert "団体台帳" in said.ja
    body = {"code": "131016", "blueprints": ["facility-booking"]}
    over_http = refused_over_http(
        plane, "POST", "/v1/members", body, status=422, type="municipality-unknown"
    )
    assert over_http.en == said.en


def test_a_code_whose_check_digit_is_wrong(plane: Plane) -> None:
    said = refused(
        plane,
        *JOIN,
        "012221",
        "-b",
        "facility-booking",
        code=1,
        type="municipality-code-check-digit",
    )
    assert "takes 0" in said.en
    assert "検査数字" in said.ja
    body = {"code": "012221", "blueprints": ["facility-booking"]}
    over_http = refused_over_http(
        plane, "POST", "/v1/members", body, status=422, type="municipality-code-check-digit"
    )
    assert over_http.en == said.en


def test_a_code_that_is_none(plane: Plane) -> None:
    for code in ("mikasa", "０１２２２０", "01222", ""):
        said = refused(
            plane, *JOIN, code, "-b", "facility-booking", code=1, type="municipality-code-malformed"
        )
        assert "six digits" in said.en
        body = {"code": code, "blueprints": ["facility-booking"]}
        answer = plane.ask("POST", "/v1/members", body)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_member_that_has_joined_already(plane: Plane) -> None:
    said = refused(plane, *JOIN, "012220", "-b", "facility-booking", code=6, type="tenant-exists")
    assert "012220" in said.en
    assert "012220" in said.ja
    body = {"code": "012220", "blueprints": ["facility-booking"]}
    refused_over_http(plane, "POST", "/v1/members", body, status=409, type="tenant-exists")


def test_a_blueprint_that_the_catalogue_lacks(plane: Plane) -> None:
    said = refused(plane, *JOIN, "012289", "-b", "tax", code=3, type="blueprint-not-found")
    assert "property-tax" in said.en
    body = {"code": "012289", "blueprints": ["tax"]}
    refused_over_http(plane, "POST", "/v1/members", body, status=422, type="blueprint-not-found")


def test_a_blueprint_that_names_a_size_the_pool_lacks(plane: Plane) -> None:
    said = refused(plane, *JOIN, "012289", "-b", "unknown-size", code=3, type="flavor-not-found")
    assert "m9.absent" in said.en
    assert "m9.absent" in said.ja
    body = {"code": "012289", "blueprints": ["unknown-size"]}
    refused_over_http(plane, "POST", "/v1/members", body, status=422, type="flavor-not-found")


def test_a_blueprint_that_names_a_size_no_host_could_hold(plane: Plane) -> None:
    said = refused(plane, *JOIN, "012289", "-b", "whale", code=1, type="no-room")
    assert "hokkaido-" in said.en
    assert said.problem["fields"]["proof"] == "proved-impossible"
    body = {"code": "012289", "blueprints": ["whale"]}
    refused_over_http(plane, "POST", "/v1/members", body, status=409, type="no-room")


def test_a_size_that_the_pool_lacks_can_not_be_explained(plane: Plane) -> None:
    said = refused(
        plane, "explain", "m9.absent", "--region", "hokkaido", code=3, type="flavor-not-found"
    )
    assert "m9.absent" in said.en
    body = {"flavor": "m9.absent", "region": "hokkaido"}
    refused_over_http(plane, "POST", "/v1/explain", body, status=422, type="flavor-not-found")


def test_a_size_that_no_host_could_hold_is_explained_with_what_lacks(plane: Plane) -> None:
    """Here the refusal is the answer that was asked for."""
    question = ("explain", "m1.whale", "--region", "hokkaido")
    with unchanged(plane):
        english = plane.yui(*question)
        japanese = plane.yui(*question, LANG="ja_JP.UTF-8")
        answer = plane.ask("POST", "/v1/explain", {"flavor": "m1.whale", "region": "hokkaido"})
    assert (english.returncode, english.stderr) == (1, "")
    assert (japanese.returncode, japanese.stderr) == (1, "")
    refusal = answer.json()["refusal"]
    assert refusal["shortfall"] > 0
    assert refusal["nearest"].startswith("hokkaido-")
    assert refusal["en"] in english.stdout
    assert refusal["ja"] in japanese.stdout


def test_a_blueprint_that_names_an_image_nobody_has_added(plane: Plane) -> None:
    said = refused(plane, *JOIN, "012289", "-b", "unknown-image", code=3, type="image-not-found")
    assert "'absent'" in said.en
    assert "「absent」" in said.ja
    body = {"code": "012289", "blueprints": ["unknown-image"]}
    refused_over_http(plane, "POST", "/v1/members", body, status=422, type="image-not-found")


def test_an_image_that_the_catalogue_lacks(plane: Plane) -> None:
    said = refused(plane, "image", "verify", "absent", code=3, type="image-not-found")
    assert "absent" in said.en
    refused_over_http(plane, "GET", "/v1/images/absent", status=404, type="image-not-found")


def test_an_image_file_that_is_not_there(plane: Plane) -> None:
    said = refused(
        plane, "image", "add", "absent.raw", *DESCRIBED, code=1, type="image-path-outside"
    )
    assert "image directory" in said.en
    assert "イメージ用ディレクトリー" in said.ja


def test_an_image_file_that_is_no_image(plane: Plane) -> None:
    (plane.image_file().parent / "notes.raw").write_text("Buy tea.\n" * 200)
    said = refused(plane, "image", "add", "notes.raw", *DESCRIBED, code=1, type="image-refused")
    assert "notes.raw" in said.en
    body = {**OFFER, "path": "notes.raw"}
    refused_over_http(plane, "POST", "/v1/images", body, status=422, type="image-refused")


def test_an_image_whose_digest_is_not_the_one_its_maker_published(plane: Plane) -> None:
    wrong = "0" * 64
    said = refused(
        plane,
        *("image", "add", "tiny.raw", *DESCRIBED, "--sha256", wrong),
        code=6,
        type="image-checksum-mismatch",
    )
    assert wrong in said.en
    assert said.problem["fields"]["actual_sha256"] in said.ja
    body = {**OFFER, "path": "tiny.raw"}
    refused_over_http(
        plane,
        *("POST", "/v1/images", {**body, "sha256": wrong}),
        status=409,
        type="image-checksum-mismatch",
    )


@pytest.fixture
def changed_image(plane: Plane) -> Iterator[None]:
    """Somebody writes into the file of an image that was added."""
    whole = plane.image_file().read_bytes()
    plane.image_file().write_bytes(whole + b"\0" * 512)
    yield
    plane.image_file().write_bytes(whole)


@pytest.mark.usefixtures("changed_image")
def test_an_image_that_was_changed_after_it_was_added(plane: Plane) -> None:
    said = refused(plane, "image", "verify", "tiny", code=6, type="image-checksum-mismatch")
    assert "'tiny'" in said.en
    assert "一致しません" in said.ja
    refused_over_http(
        plane, "POST", "/v1/images/tiny/verify", status=409, type="image-checksum-mismatch"
    )
    again = ("--name", "tiny", "--version", "1", "--provenance", "made for a test", *DECLARED)
    said = refused(plane, "image", "add", "tiny.raw", *again, code=6, type="image-exists")
    assert "another id" in said.en


def test_an_image_that_is_whole_is_found_so(plane: Plane) -> None:
    result = plane.yui("image", "verify", "tiny")
    assert result.returncode == 0, result.stderr
    assert plane.data("image", "verify", "tiny")["sha256"] in result.stdout


POOL_MISTAKES = {
    "a unit that is none": (
        POOL.replace("capacity: 500 GiB", "capacity: 500 GB"),
        ["line 8", "500 GB", "GiB"],
    ),
    "a site that is not described": (
        POOL.replace("hokkaido-2, site: hokkaido-dc", "hokkaido-2, site: sapporo"),
        ["line 11", "sapporo"],
    ),
    "a word that is misspelled": (
        POOL.replace(
            "hokkaido-1, site: hokkaido-dc, vcpus", "hokkaido-1, site: hokkaido-dc, vpcus"
        ),
        ["line 10", "vpcus"],
    ),
    "an id that is used twice": (
        POOL.replace("id: hokkaido-3", "id: hokkaido-1"),
        ["line 12", "hokkaido-1"],
    ),
    "no YAML at all": (POOL.replace("sites:\n", "sites: [\n"), ["line "]),
}


@pytest.mark.parametrize("mistake", POOL_MISTAKES)
def test_a_pool_file_with(plane: Plane, tmp_path: Path, mistake: str) -> None:
    text, told = POOL_MISTAKES[mistake]
    file = tmp_path / "pool.yaml"
    file.write_text(text, encoding="utf-8")
    with unchanged(plane):
        english = plane.yui("pool", "apply", str(file))
        japanese = plane.yui("pool", "apply", str(file), LANG="ja_JP.UTF-8")
        for_programs = plane.yui("pool", "apply", str(file), "--json")
    assert english.returncode == japanese.returncode == for_programs.returncode == 1
    assert english.stdout == japanese.stdout == for_programs.stdout == ""
    first = english.stderr.splitlines()[0]
    assert first.startswith("pool.yaml, line ")
    assert [part for part in told if part not in first] == []
    assert "pool.yaml の " in japanese.stderr.splitlines()[0]
    problem = json.loads(for_programs.stderr)
    assert problem["type"] == "urn:yui:problem:pool-file-invalid"
    assert problem["fields"]["file"] == "pool.yaml"
    assert problem["fields"]["line"] > 0
    assert problem["fields"]["expected"]


def test_a_pool_description_over_http_that_is_wrong(plane: Plane) -> None:
    described = yaml.safe_load(POOL)
    described["hosts"][1]["memory"] = "32 GB"
    said = refused_over_http(
        plane, "PUT", "/v1/pool", described, status=422, type="pool-file-invalid"
    )
    assert "hosts[1].memory" in said.en
    assert "32 GB" in said.ja


def test_a_pool_file_that_is_not_there(plane: Plane, tmp_path: Path) -> None:
    missing = str(tmp_path / "absent.yaml")
    said = refused(plane, "pool", "apply", missing, code=1, type="pool-file-unreadable")
    assert missing in said.en


@pytest.mark.long
def test_a_second_control_plane_on_the_same_sqlite_file(plane: Plane, free_port: str) -> None:
    with unchanged(plane):
        en, ja = refused_to_start(
            serving(plane.state.parent, free_port), plane.served.environment, code=5
        )
    assert str(plane.state) in en
    assert "PostgreSQL" in en
    assert "コントロールプレーン" in ja
    assert not (plane.state.parent / "token").exists()
    assert plane.yui("host", "list").returncode == 0


@pytest.mark.long
def test_an_api_that_does_not_run(plane: Plane) -> None:
    nowhere = ("--url", "http://127.0.0.1:1")
    for language, lang in (("en", "C.UTF-8"), ("ja", "ja_JP.UTF-8")):
        result = plane.yui("host", "list", *nowhere, LANG=lang)
        assert result.returncode == 5
        assert "yui serve" in one_sentence(result.stderr, language)

"""The catalogue of images over HTTP: operators add files of one directory, members see the list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.access.service import bootstrap_operator_token
from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.store import Store
from tenants.catalogue import STANDARD_BLUEPRINTS, load_catalogue
from tests.api.conftest import QUICKLY
from tests.api.in_process import InProcess
from tests.images import disks
from tests.images.guest import need

MEMBER = Tenant(MunicipalityCode("262013"), "福知山市", "ふくちやまし", "京都府", 77_306)
OFFER = {
    "path": "office.qcow2",
    "name": "office",
    "version": "1",
    "provenance": "made by the test",
    "declares": disks.DECLARES,
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    need("qemu-img", "sfdisk")
    directory = tmp_path / "images"
    directory.mkdir()
    disks.as_qcow2(disks.partitioned(directory / "office.raw", disks.ACTIVE_MBR))
    (tmp_path / "secret.qcow2").write_bytes((directory / "office.qcow2").read_bytes())
    return directory


@pytest.fixture
def operator(tmp_path: Path, directory: Path) -> Iterator[InProcess]:
    """A client with an operator's token."""
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.write() as tx:
        tx.add_tenant(MEMBER)
    catalogue = load_catalogue(STANDARD_BLUEPRINTS)
    app = create_app(
        store, SimulatedWorld(), Options(catalogue, images=directory, token_cost=QUICKLY)
    )
    try:
        with InProcess(app) as client:
            client.headers["Authorization"] = (
                f"Bearer {bootstrap_operator_token(store, cost=QUICKLY)}"
            )
            yield client
    finally:
        store.close()


def as_member(operator: InProcess) -> dict[str, str]:
    """Headers with a member's token."""
    answer = operator.post(
        "/v1/tokens",
        json={"role": "member-admin", "tenant": MEMBER.code.text, "label": "Fukuchiyama"},
    )
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:yui:problem:")


def test_an_operator_adds_an_image_and_a_member_sees_it_without_its_place(
    operator: InProcess, directory: Path
) -> None:
    added = operator.post("/v1/images", json=OFFER)
    file = directory / "office.qcow2"
    assert added.status_code == 201, added.text
    image = added.json()
    assert image["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (image["id"], image["format"], image["virtual_size_gib"]) == ("office", "qcow2", 1)
    assert image["location"] == str(file)
    assert operator.get("/v1/images").json()["items"] == [image]
    assert operator.post("/v1/images/office/verify").status_code == 200

    member = as_member(operator)
    shown = operator.get("/v1/images/office", headers=member).json()
    assert shown == {**image, "location": None}
    assert problem(operator.post("/v1/images", json=OFFER, headers=member)) == (
        403,
        "permission-missing",
    )
    assert problem(operator.post("/v1/images/office/verify", headers=member)) == (
        403,
        "permission-missing",
    )


def test_a_dry_run_says_what_would_be_added_and_adds_nothing(operator: InProcess) -> None:
    rehearsed = operator.post("/v1/images?dry_run=true", json=OFFER)
    assert rehearsed.status_code == 200, rehearsed.text
    assert rehearsed.json()["id"] == "office"
    assert operator.get("/v1/images").json()["items"] == []


def test_the_same_request_sent_twice_adds_one_image(operator: InProcess) -> None:
    key = {"Idempotency-Key": "add-office-1"}
    first = operator.post("/v1/images", json=OFFER, headers=key)
    second = operator.post("/v1/images", json=OFFER, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(operator.get("/v1/images").json()["items"]) == 1
    added = [
        entry
        for entry in operator.get("/v1/audit").json()["items"]
        if entry["action"] == "image.add"
    ]
    assert len(added) == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "status", "type"),
    [
        pytest.param({"path": "../secret.qcow2"}, 422, "image-path-outside", id="climbs out"),
        pytest.param({"path": "/etc/passwd"}, 422, "image-path-outside", id="absolute elsewhere"),
        pytest.param({"path": "absent.qcow2"}, 422, "image-path-outside", id="absent"),
        pytest.param({"sha256": "0" * 64}, 409, "image-checksum-mismatch", id="other digest"),
        pytest.param({"name": "Büro"}, 422, "request-invalid", id="no DNS label"),
        pytest.param({"sha256": "abc"}, 422, "request-invalid", id="half a digest"),
        pytest.param({"surprise": "1"}, 422, "request-invalid", id="unknown member"),
        pytest.param({"name": "standard"}, 422, "image-name-invalid", id="a path of the API"),
        pytest.param({"requirements": "<a"}, 422, "machine-description-invalid", id="no OVF"),
        pytest.param({"declares": {"cloud_init": "ec2"}}, 422, "request-invalid", id="other cloud"),
        pytest.param({"version": "1\n2"}, 422, "request-invalid", id="two lines as version"),
    ],
)
def test_a_bad_offer_gets_one_problem_and_leaves_the_catalogue_as_it_was(
    operator: InProcess, change: dict[str, Any], status: int, type: str
) -> None:
    assert problem(operator.post("/v1/images", json={**OFFER, **change})) == (status, type)
    assert operator.get("/v1/images").json()["items"] == []


def test_how_an_image_met_the_standard_is_kept_and_shown(operator: InProcess) -> None:
    added = operator.post("/v1/images", json=OFFER).json()
    report = operator.get("/v1/images/office", headers=as_member(operator)).json()["report"]
    assert report == added["report"]
    assert [each["requirement"] for each in report] == [
        each["id"] for each in operator.get("/v1/images/standard").json()["items"]
    ]
    verdicts = {each["requirement"]: each["verdict"] for each in report}
    assert (verdicts["IMG-08"], verdicts["IMG-09"]) == ("checked", "declared")


def test_the_standard_is_published_in_the_readers_language(operator: InProcess) -> None:
    def first(language: str) -> str:
        answer = operator.get("/v1/images/standard", headers={"Accept-Language": language})
        return str(answer.json()["items"][0]["title"])

    assert first("en") == "The image is a qcow2 or raw disk."
    assert first("ja") == "イメージは qcow2 または raw のディスクです。"


def test_an_image_that_falls_short_is_refused_with_every_reason_and_not_kept(
    operator: InProcess,
) -> None:
    answer = operator.post(
        "/v1/images",
        json={**OFFER, "declares": {"virtio": True}, "requirements": '{"cpu_pinning": true}'},
        headers={"Accept-Language": "ja"},
    )
    assert problem(answer) == (422, "image-refused")
    told = answer.json()["fields"]["failures"]
    assert [each["requirement"] for each in told] == ["IMG-10", "IMG-11", "IMG-12"]
    assert [each["verdict"] for each in told] == ["unknown", "unknown", "failed"]
    assert "CPU の固定" in answer.json()["detail"]
    assert operator.get("/v1/images").json()["items"] == []


def test_an_unknown_image_is_not_found(operator: InProcess) -> None:
    assert problem(operator.get("/v1/images/nowhere")) == (404, "image-not-found")
    assert problem(operator.post("/v1/images/nowhere/verify")) == (404, "image-not-found")


def test_damage_after_the_adding_is_found_by_verifying(
    operator: InProcess, directory: Path
) -> None:
    assert operator.post("/v1/images", json=OFFER).status_code == 201
    with (directory / "office.qcow2").open("ab") as file:
        file.write(b"\0")
    assert problem(operator.post("/v1/images/office/verify")) == (409, "image-checksum-mismatch")

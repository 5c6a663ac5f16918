"""Members bring images of their own over HTTP: in parts, checked, judged, and seen by nobody else."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.access.service import bootstrap_operator_token
from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.store import Store
from images import uploads
from tenants.catalogue import Catalogue
from tests.api.conftest import QUICKLY
from tests.api.in_process import InProcess
from tests.images import disks
from tests.images.guest import need

OWN, OTHER = "262013", "262021"
MEMBERS = [
    Tenant(MunicipalityCode(OWN), "福知山市", "ふくちやまし", "京都府", 77_306),
    Tenant(MunicipalityCode(OTHER), "舞鶴市", "まいづるし", "京都府", 77_000),
]
PARTS = "/v1/images/uploads"


class Town:
    """A member's administrator."""

    def __init__(self, client: InProcess, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, headers=self.headers, **more)

    def begin(self, data: bytes, **other: Any) -> httpx.Response:
        said = {
            "name": "office",
            "version": "1",
            "provenance": "made for a test",
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return self.ask("POST", PARTS, json={**said, **other})

    def send(self, upload: str, data: bytes, offset: int = 0) -> httpx.Response:
        return self.ask("PUT", f"{PARTS}/{upload}?offset={offset}", content=data)

    def complete(self, upload: str, **more: Any) -> httpx.Response:
        body = {"declares": disks.DECLARES, **more}
        return self.ask("POST", f"{PARTS}/{upload}/complete", json=body)

    def bring(self, data: bytes) -> dict[str, Any]:
        upload = self.begin(data).json()["id"]
        assert self.send(upload, data).status_code == 200
        done = self.complete(upload)
        assert done.status_code == 201, done.text
        image: dict[str, Any] = done.json()
        return image

    def images(self) -> set[str]:
        return {image["id"] for image in self.ask("GET", "/v1/images").json()["items"]}


class Place:
    def __init__(self, client: InProcess, store: Store, directory: Path) -> None:
        self.client, self.store, self.directory = client, store, directory
        self.operator = Town(client, bootstrap_operator_token(store, cost=QUICKLY))
        self.own, self.other = self.member(OWN), self.member(OTHER)

    def member(self, code: str) -> Town:
        said = {"role": "member-admin", "tenant": code, "label": code}
        return Town(self.client, self.operator.ask("POST", "/v1/tokens", json=said).json()["token"])

    def files(self) -> list[Path]:
        return [path for path in (self.directory / "own").rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole disk that may join the pool."""
    need("qemu-img", "sfdisk")
    raw = tmp_path_factory.mktemp("disk") / "office.raw"
    return disks.as_qcow2(disks.partitioned(raw, disks.ACTIVE_MBR)).read_bytes()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.write() as tx:
        for member in MEMBERS:
            tx.add_tenant(member)
    (tmp_path / "images").mkdir()
    app = create_app(
        store,
        SimulatedWorld(),
        Options(Catalogue({}), images=tmp_path / "images", token_cost=QUICKLY),
    )
    try:
        with InProcess(app) as client:
            yield Place(client, store, tmp_path / "images")
    finally:
        store.close()


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:yui:problem:")


def test_an_image_comes_in_parts_that_go_on_where_they_broke_off(place: Place, disk: bytes) -> None:
    begun = place.own.begin(disk).json()
    upload, middle = begun["id"], len(disk) // 3
    assert begun["received_bytes"] == 0
    assert place.own.send(upload, disk[:middle]).json()["received_bytes"] == middle
    again = place.own.send(upload, disk[:middle])
    assert problem(again) == (409, "image-upload-elsewhere")
    assert again.json()["fields"]["received_bytes"] == middle
    assert problem(place.own.complete(upload)) == (409, "image-upload-incomplete")
    known = place.own.ask("GET", f"{PARTS}/{upload}").json()["received_bytes"]
    assert place.own.send(upload, disk[known:], known).json()["received_bytes"] == len(disk)
    assert problem(place.own.send(upload, b"x", len(disk))) == (409, "image-upload-too-long")

    image = place.own.complete(upload).json()
    assert (image["id"], image["name"], image["owner"], image["private"]) == (
        upload,
        "office",
        OWN,
        True,
    )
    assert image["sha256"] == hashlib.sha256(disk).hexdigest()
    assert image["location"] is None
    assert {finding["verdict"] for finding in image["report"]} >= {"checked", "declared"}
    assert place.own.ask("GET", PARTS).json()["items"] == []
    with place.store.read() as tx:
        (kept,) = tx.images()
    assert Path(kept.location).read_bytes() == disk
    assert place.operator.ask("POST", f"/v1/images/{upload}/verify").status_code == 200


def test_nobody_else_sees_an_image_until_an_operator_shares_it(place: Place, disk: bytes) -> None:
    image = place.own.bring(disk)["id"]
    upload = place.own.begin(disk).json()["id"]
    assert place.own.images() == place.operator.images() == {image}
    assert place.other.images() == set()
    never = "img-" + "a" * 16
    for method, path in (
        ("GET", "/v1/images/{}"),
        ("DELETE", "/v1/images/{}"),
        ("GET", PARTS + "/{}"),
        ("PUT", PARTS + "/{}?offset=0"),
        ("DELETE", PARTS + "/{}"),
    ):
        name = upload if PARTS in path else image
        theirs = place.other.ask(method, path.format(name))
        absent = place.other.ask(method, path.format(never))
        assert theirs.status_code == absent.status_code == 404, path
        same = ("type", "title", "detail", "instance", "fields")
        assert [str(theirs.json()[key]).replace(name, never) for key in same] == [
            str(absent.json()[key]) for key in same
        ]
    said = {"shared": True}
    assert place.own.ask("PATCH", f"/v1/images/{image}", json=said).status_code == 403
    shared = place.operator.ask("PATCH", f"/v1/images/{image}", json=said)
    assert (shared.status_code, shared.json()["private"]) == (200, False)
    seen = place.other.ask("GET", f"/v1/images/{image}").json()
    assert (seen["name"], seen["owner"], seen["location"]) == ("office", None, None)
    assert problem(place.other.ask("DELETE", f"/v1/images/{image}")) == (409, "image-not-owned")
    assert problem(place.own.ask("DELETE", f"/v1/images/{image}")) == (409, "image-shared")
    place.operator.ask("PATCH", f"/v1/images/{image}", json={"shared": False})
    assert place.other.images() == set()
    assert told(place.own) == (["image.add", "image.share", "image.share"], 5)
    assert told(place.other) == ([], 0)


def told(town: Town) -> tuple[list[str], int]:
    """Of images: what happened, and how much was done to them."""
    events = [event["kind"] for event in town.ask("GET", "/v1/events").json()["items"]]
    audit = town.ask("GET", "/v1/audit").json()["items"]
    done = [e for e in audit if e["outcome"] == "done" and e["action"].startswith("image.")]
    return [kind for kind in events if kind.startswith("image.")], len(done)


def test_a_file_that_is_not_what_was_announced_is_refused(place: Place, disk: bytes) -> None:
    other = bytes(len(disk))
    upload = place.own.begin(disk).json()["id"]
    place.own.send(upload, other)
    assert problem(place.own.complete(upload)) == (422, "image-refused")
    spoiled = disk[:-1] + bytes([disk[-1] ^ 1])
    upload = place.own.begin(disk).json()["id"]
    place.own.send(upload, spoiled)
    assert problem(place.own.complete(upload))[1] in ("image-checksum-mismatch", "image-refused")
    assert place.own.images() == set()


def test_what_is_refused_for_want_of_a_word_is_completed_without_sending_it_again(
    place: Place, disk: bytes
) -> None:
    upload = place.own.begin(disk).json()["id"]
    place.own.send(upload, disk)
    assert problem(place.own.complete(upload, declares={})) == (422, "image-refused")
    rehearsed = place.own.ask(
        "POST", f"{PARTS}/{upload}/complete?dry_run=true", json={"declares": disks.DECLARES}
    )
    assert (rehearsed.status_code, place.own.images()) == (200, set())
    assert place.own.complete(upload).status_code == 201


def test_images_have_a_quota_and_uploads_count_at_their_whole_length(
    place: Place, disk: bytes
) -> None:
    quota = f"/v1/members/{OWN}/image-quota"
    assert place.own.ask("GET", quota).json()["quota_gib"] == uploads.QUOTA
    assert problem(place.other.ask("GET", quota)) == (404, "tenant-not-found")
    assert place.own.ask("PUT", quota, json={"gib": 9}).status_code == 403
    assert place.operator.ask("PUT", quota, json={"gib": 1}).json()["quota_gib"] == 1
    begun = place.own.begin(b"", size_bytes=2**30 - 100).json()
    refused = place.own.begin(disk)
    assert problem(refused) == (422, "image-quota-exceeded")
    assert refused.json()["fields"]["used_bytes"] == 2**30 - 100
    assert place.own.ask("DELETE", f"{PARTS}/{begun['id']}").status_code == 200
    image = place.own.bring(disk)
    assert place.own.ask("GET", quota).json()["used_bytes"] == len(disk)
    assert place.own.ask("DELETE", f"/v1/images/{image['id']}?dry_run=true").status_code == 200
    assert len(place.files()) == 1
    assert place.own.ask("DELETE", f"/v1/images/{image['id']}").status_code == 200
    assert place.own.ask("GET", quota).json()["used_bytes"] == 0
    assert place.files() == []


def test_two_cannot_send_the_same_upload_at_once(place: Place, disk: bytes) -> None:
    upload = place.own.begin(disk).json()["id"]
    place.own.send(upload, disk[:10])
    with (place.directory / "own" / upload / "office").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert problem(place.own.send(upload, disk[10:], 10)) == (409, "image-upload-busy")
        assert problem(place.own.complete(upload)) == (409, "image-upload-busy")
    assert place.own.send(upload, disk[10:], 10).status_code == 200


def test_an_upload_that_nobody_goes_on_with_is_forgotten(place: Place, disk: bytes) -> None:
    upload = place.own.begin(disk).json()["id"]
    place.own.send(upload, disk[:10])
    folder = uploads.UploadFolder(place.directory)
    soon, late = datetime.now(UTC), datetime.now(UTC) + 2 * uploads.KEPT_FOR
    assert uploads.forget_stale(place.store, folder, soon) == 0
    assert uploads.forget_stale(place.store, folder, late) == 1
    assert place.files() == []
    assert problem(place.own.ask("GET", f"{PARTS}/{upload}")) == (404, "image-upload-not-found")


def test_nonsense_is_refused_before_anything_is_kept(place: Place, disk: bytes) -> None:
    for wrong in (
        {"name": "../x"},
        {"size_bytes": 0},
        {"size_bytes": 2**60},
        {"sha256": "x"},
        {"provenance": "\u202e"},
    ):
        assert problem(place.own.begin(disk, **wrong)) == (422, "request-invalid")
    too_big = place.own.begin(disk, size_bytes=65 * 2**30)
    assert problem(too_big) == (422, "image-too-big")
    upload = place.own.begin(disk).json()["id"]
    long = {"Content-Length": str(uploads.PART_BYTES + 1), **place.own.headers}
    answer = place.client.put(f"{PARTS}/{upload}?offset=0", headers=long, content=iter([b"x"]))
    assert problem(answer) == (413, "request-too-large")
    assert place.files() == []

"""Members' tools bring images, find them, change them and take them home."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from openstack import exceptions

from tests.api.conftest import MIKASA, UJI
from tests.images import disks
from tests.images.guest import need
from tests.openstack_api.cloud import REGION, Cloud
from tests.plain_http import ask as plainly

PATCH = "application/openstack-images-v2.1-json-patch"
DECLARES = {"yui_declares": "virtio cloud-init serial-console"}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole disk that may join the pool."""
    need("qemu-img", "sfdisk")
    raw = tmp_path_factory.mktemp("disk") / "office.raw"
    return disks.as_qcow2(disks.partitioned(raw, disks.ACTIVE_MBR))


class Glance:
    """What a client sends, to the letter."""

    def __init__(self, cloud: Cloud, member: str = MIKASA, region: str = REGION) -> None:
        self.token = cloud.session(member)
        self.at = f"{cloud.url}/openstack/regions/{region}/image/v2"

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.token} | more.pop("headers", {})
        return plainly(method, self.at + path, headers=headers, timeout=60, **more)

    def create(self, name: str = "office", **more: Any) -> dict[str, Any]:
        made = self.ask("POST", "/images", json={"name": name, **DECLARES, **more})
        assert made.status_code == 201, made.text
        document: dict[str, Any] = made.json()
        assert made.headers["location"].endswith(f"/image/v2/images/{document['id']}")
        return document

    def send(self, image: str, content: Any, **headers: str) -> httpx.Response:
        said = {"Content-Type": "application/octet-stream", **headers}
        return self.ask("PUT", f"/images/{image}/file", content=content, headers=said)

    def change(self, image: str, *changes: dict[str, Any]) -> httpx.Response:
        headers = {"Content-Type": PATCH}
        return self.ask("PATCH", f"/images/{image}", json=list(changes), headers=headers)

    def status(self, image: str) -> str:
        return str(self.ask("GET", f"/images/{image}").json()["status"])


@pytest.fixture
def glance(cloud: Cloud) -> Glance:
    return Glance(cloud)


@pytest.mark.long
def test_the_sdk_brings_an_image_and_both_faces_agree_on_it(cloud: Cloud, disk: Path) -> None:
    content = disk.read_bytes()
    with cloud.connection() as connection:
        made = connection.create_image(
            "office-2026",
            filename=str(disk),
            disk_format="qcow2",
            wait=True,
            validate_checksum=True,
            os_distro="debian",
            **DECLARES,
        )
        image = connection.image.get_image(made.id)
        digest = hashlib.sha256(content).hexdigest()
        assert (image.status, image.size, image.min_disk) == ("active", len(content), 1)
        assert (image.hash_algo, image.hash_value, image.checksum) == ("sha256", digest, None)
        assert (image.owner, image.visibility, image.os_distro) == (MIKASA, "private", "debian")
        assert image.properties["owner_specified.openstack.sha256"] == digest

        theirs = cloud.ask("GET", f"/v1/images/{image.id}", cloud.account().token).json()
        assert (theirs["name"], theirs["sha256"], theirs["owner"]) == (
            "office-2026",
            digest,
            MIKASA,
        )
        assert theirs["properties"]["os_distro"] == "debian"
        changed = {"name": "office-2027", "properties": {"os_distro": "alma"}}
        path = f"/v1/images/{image.id}"
        said = cloud.ask("PUT", f"{path}/description", cloud.account().token, json=changed)
        assert said.status_code == 200, said.text
        found = connection.image.find_image("office-2027")
        assert (found.id, found.os_distro) == (image.id, "alma")

        connection.image.update_image(found, name="office", os_distro="rocky", os_type="linux")
        theirs = cloud.ask("GET", path, cloud.account().token).json()
        assert theirs["name"] == "office"
        assert theirs["properties"] == {"os_distro": "rocky", "os_type": "linux"}

        assert connection.image.download_image(found).content == content
        home = cloud.ask("GET", f"{path}/file", cloud.account().token)
        assert (home.status_code, home.content) == (200, content)

        connection.image.delete_image(found, ignore_missing=False)
        assert connection.image.find_image("office") is None
        assert cloud.ask("GET", path, cloud.account().token).status_code == 404


def test_what_comes_without_a_length_is_counted_as_it_comes(
    cloud: Cloud, glance: Glance, disk: Path
) -> None:
    content = disk.read_bytes()
    image = glance.create("chunked", disk_format="qcow2")
    assert (image["status"], image["size"], image["disk_format"]) == ("queued", None, "qcow2")
    pieces = (content[at : at + 70_000] for at in range(0, len(content), 70_000))
    assert glance.send(image["id"], pieces).status_code == 204
    active = glance.ask("GET", f"/images/{image['id']}").json()
    assert (active["status"], active["size"]) == ("active", len(content))
    assert glance.send(image["id"], content).status_code == 409

    # The same through the other face, which goes on where it broke off.
    words = {"name": "by-parts", "version": "1", "provenance": "made for a test"}
    path, token = "/v1/images/uploads", cloud.account().token
    begun = cloud.ask("POST", path, token, json=words).json()
    assert (begun["sha256"], begun["size_bytes"]) == (None, None)
    path = f"{path}/{begun['id']}"
    cloud.ask("PUT", f"{path}?offset=0", token, content=content[:100])
    assert glance.status(begun["id"]) == "saving"
    cloud.ask("PUT", f"{path}?offset=100", token, content=content[100:])
    done = cloud.ask("POST", f"{path}/complete", token, json={"declares": disks.DECLARES})
    assert done.json()["sha256"] == active["os_hash_value"]


@pytest.mark.long
def test_what_may_not_join_the_pool_is_refused_and_leaves_the_image_queued(
    cloud: Cloud, glance: Glance, disk: Path
) -> None:
    content = disk.read_bytes()
    claimed = {"owner_specified.openstack.sha256": "0" * 64}
    for more, sent, said, problem in (
        ({"disk_format": "raw"}, content, {}, "image-format-differs"),
        ({"yui_declares": ""}, content, {}, "image-refused"),
        ({}, b"not a disk", {}, "image-refused"),
        (claimed, content, {}, "image-checksum-mismatch"),
        ({}, content, {"X-OpenStack-Image-Size": "7"}, "image-file-incomplete"),
        ({}, b"", {}, "image-file-incomplete"),
        ({}, iter([content]), {"X-OpenStack-Image-Size": str(2**40)}, "image-too-big"),
    ):
        image = glance.create(**more)["id"]
        refused = glance.send(image, sent, **said)
        assert 400 <= refused.status_code < 500, refused.text
        assert refused.headers["yui-problem"] == problem, refused.text
        assert set(refused.json()) == {"message", "code", "title"}
        assert glance.status(image) == "queued"
        assert glance.ask("DELETE", f"/images/{image}").status_code == 204
        assert glance.ask("GET", f"/images/{image}").status_code == 404
    assert glance.ask("PUT", "/images/x/file", json={}).status_code == 415
    account = cloud.account().token
    quota = f"/v1/members/{MIKASA}/image-quota"
    assert cloud.ask("PUT", quota, json={"gib": 1}).status_code == 200
    image = glance.create()["id"]
    refused = glance.send(image, content, **{"X-OpenStack-Image-Size": str(2**30 + 1)})
    assert (refused.status_code, refused.headers["yui-problem"]) == (413, "image-quota-exceeded")
    used = cloud.ask("GET", quota, account).json()["used_bytes"]
    assert cloud.ask("PUT", quota, json={"gib": 100}).status_code == 200
    assert glance.send(image, content).status_code == 204
    assert cloud.ask("GET", quota, account).json()["used_bytes"] == used + len(content)


def test_what_an_image_can_not_be_is_refused_with_a_word(glance: Glance) -> None:
    for status, body in (
        (400, {"disk_format": "vmdk"}),
        (400, {"container_format": "ova"}),
        (400, {"visibility": "shared"}),
        (403, {"visibility": "public"}),
        (400, {"protected": True}),
        (400, {"tags": ["x"]}),
        (400, {"min_ram": 512}),
        (400, {"id": "0b2d6c6e-0000-0000-0000-000000000000"}),
        (403, {"owner": UJI}),
        (403, {"size": "7"}),
        (400, {"hw_cpu_policy": "dedicated"}),
        (400, {"hw_disk_bus": "ide"}),
        (400, {"yui_declares": "magic"}),
        (400, {"own": 7}),
        (400, {"own": "x" * 20_000}),
        (400, {"name": "\u202e"}),
    ):
        refused = glance.ask("POST", "/images", json={"name": "x", **body})
        assert refused.status_code == status, (body, refused.text)
    assert glance.ask("GET", "/images?name=x").json()["images"] == []
    unnamed = glance.ask("POST", "/images", json={}).json()
    assert unnamed["name"] == unnamed["id"]
    usual = {"visibility": "private", "protected": False, "tags": [], "min_disk": 0, "min_ram": 0}
    image = glance.create(**usual, container_format="bare", hw_disk_bus="virtio")["id"]

    def of(op: str, path: str, value: Any = None) -> dict[str, Any]:
        return {"op": op, "path": path, "value": value}

    for status, change in (
        (400, of("move", "/name")),
        (403, of("replace", "/status", "active")),
        (403, of("remove", "/name")),
        (409, of("replace", "/never", "x")),
        (400, of("replace", "/name", 7)),
        (403, of("replace", "/visibility", "public")),
        (400, of("add", "/hw_firmware_type", "uefi")),
    ):
        refused = glance.change(image, of("add", "/kept", "no"), change)
        assert refused.status_code == status, (change, refused.text)
    assert "kept" not in glance.ask("GET", f"/images/{image}").json()
    done = glance.change(image, of("add", "/a~1b", "x"), of("replace", "/name", "件名"))
    assert (done.json()["name"], done.json()["a/b"]) == ("件名", "x")
    assert glance.ask("PATCH", f"/images/{image}", json=[]).status_code == 415
    assert glance.ask("DELETE", "/images/tiny").status_code == 403
    assert glance.ask("GET", "/images/tiny/file").status_code == 403
    assert glance.ask("GET", f"/images/{image}/file").status_code == 204


def test_lists_are_filtered_sorted_and_paged(glance: Glance) -> None:
    made = [glance.create(f"list-{n}", os_distro=f"d{n % 2}")["id"] for n in range(4)]

    def names(query: str) -> list[str]:
        answer = glance.ask("GET", f"/images?{query}")
        assert answer.status_code == 200, answer.text
        return [one["name"] for one in answer.json()["images"] if one["id"] in made]

    assert names("status=queued&sort=name:asc") == [f"list-{n}" for n in range(4)]
    assert names("os_distro=d1&sort_key=name&sort_dir=desc") == ["list-3", "list-1"]
    assert names("name=in:list-0,list-2&sort=name:asc") == ["list-0", "list-2"]
    assert names(f"id=in:{made[0]}") == ["list-0"]
    assert names(f"owner={UJI}") == names("visibility=public") == names("protected=true") == []
    assert (
        names("created_at=gt:2999-01-01T00:00:00Z") == names("size_min=1") == names("tag=x") == []
    )
    for wrong in ("sort=colour", "marker=none", "visibility=x", "created_at=gt:x", "limit=-1"):
        assert glance.ask("GET", f"/images?{wrong}").status_code == 400, wrong
    seen, path = [], "/images?limit=2&sort=name:asc&status=queued"
    while path:
        document = glance.ask("GET", path).json()
        seen += [one["id"] for one in document["images"]]
        path = document.get("next", "").removeprefix("/v2")
    assert [one for one in seen if one in made] == made
    assert len(seen) == len(set(seen))
    public = glance.ask("GET", "/images/tiny").json()
    assert (public["visibility"], public["owner"], public["status"]) == ("public", None, "active")


def test_another_member_finds_none_of_it(cloud: Cloud, glance: Glance) -> None:
    image = glance.create("secret")["id"]
    other = Glance(cloud, UJI, "kyoto")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/file"), ("PUT", "/file")):
        headers = {"Content-Type": "application/octet-stream"}
        said = other.ask(method, f"/images/{image}{path}", headers=headers)
        absent = other.ask(method, f"/images/img-none{path}", headers=headers)
        assert said.status_code == absent.status_code == 404, (method, path, said.text)
        assert said.text.replace(image, "img-none") == absent.text
    assert other.ask("GET", "/images?limit=1000").json()["images"] == [
        one for one in other.ask("GET", "/images").json()["images"] if one["id"] != image
    ]
    assert Glance(cloud, UJI).ask("GET", "/images").status_code == 404


def test_a_reader_brings_nothing(cloud: Cloud) -> None:
    with (
        cloud.connection(role="member-user") as connection,
        pytest.raises(exceptions.ForbiddenException),
    ):
        connection.image.create_image("x", data=b"x", disk_format="qcow2")
